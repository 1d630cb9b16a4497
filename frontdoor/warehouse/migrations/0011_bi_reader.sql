-- The role of BI tools reads bi and nothing else. It gets its password where the server is started.
do $body$
begin
    if not exists (select 1 from pg_roles where rolname = 'bi_reader') then
        create role bi_reader login;
    end if;
exception
    -- Another database of this server made it at the same instant.
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise exception 'This role may not create roles. Ask the administrator of the server for: create role bi_reader login';
end
$body$;

do $body$
begin
    execute format('grant connect on database %I to bi_reader', current_database());
end
$body$;
revoke all on schema public from public;
grant usage on schema bi to bi_reader;
grant select on all tables in schema bi to bi_reader;
alter default privileges in schema bi grant select on tables to bi_reader;
