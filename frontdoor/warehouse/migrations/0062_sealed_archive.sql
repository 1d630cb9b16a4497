-- What the archive calls the bytes of a file, and which key they are sealed with. Nothing of the bytes can be told from either.
-- sha256_received is of the bytes as sent, for ever; sha256_stored of what the archive holds of them: another one once somebody was erased.
alter table intake.files
    -- Null: nothing was kept. Several rows have one name where the same bytes came again.
    add column stored_name text,
    -- Null: kept as it came, from before the archive was encrypted.
    add column key_id text;

update intake.files set stored_name = sha256_stored where sha256_stored <> '';

create index on intake.files (stored_name);

-- That our copy of a file does not open is no more the sender's doing than that our reading failed.
do $$
begin
    execute replace(
        pg_get_functiondef('quality.rule_scores(bigint[])'::regprocedure),
        '(''given_up'', ''unreadable'',',
        '(''given_up'', ''copy_closed'', ''unreadable'','
    );
end
$$;
