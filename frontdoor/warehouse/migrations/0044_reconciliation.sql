-- The triage list as the daily reconciliation asks for it. Through functions, which Postgres does not hold the list by: whoever mends the list
-- may drop it, and the next build makes it whole.

-- The rows of one delivery on the triage list.
create function worklists.triage_of(this bigint) returns table (record_no bigint, record_key text, is_open boolean)
language plpgsql stable
as $body$
begin
    return query
    select triage.record_no, triage.record_key, triage.is_open
    from worklists.triage as triage
    where triage.delivery_id = this;
end
$body$;

-- Whether a record of that key is on the triage list, in whatever version.
create function worklists.is_on_triage(this text) returns boolean
language plpgsql stable
as $body$
begin
    return exists (select from worklists.triage as triage where triage.record_key = this);
end
$body$;
