-- The same news, but looked up before anything is joined to it: folded into a model's query it was joined last, after every record
-- of every slice that was ever built. `offset 0` keeps it apart, and one build is one value, not a table to guess the size of.
create or replace view warehouse.news as
select
    slices.build_id,
    slices.delivery_id,
    deliveries.feed,
    deliveries.agency_code,
    deliveries.source,
    deliveries.contract_version,
    deliveries.received_at,
    deliveries.published_at,
    slices.record_from,
    slices.record_to
from warehouse.build_slices as slices
inner join intake.deliveries as deliveries on slices.delivery_id = deliveries.delivery_id
where slices.build_id = (select clock.build_id from warehouse.clock as clock)
offset 0;
