-- The last delivery of the same sender, source and feed in an earlier file that had records: what an extract is held against. An extract by
-- another source (the lists for an inspection beside the daily one) says nothing of what is missing from this one. Null: there is none.
create function intake.delivery_before(this bigint) returns bigint
language sql stable parallel safe
as $body$
    select max(earlier.delivery_id)
    from intake.deliveries as here
    inner join intake.deliveries as earlier
        on
            here.agency_code = earlier.agency_code
            and here.source = earlier.source
            and here.feed = earlier.feed
            and here.file_id > earlier.file_id
            and here.delivery_id > earlier.delivery_id
    where here.delivery_id = this and earlier.records_loaded > 0
$body$;
