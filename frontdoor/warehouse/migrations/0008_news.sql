-- What the running build drains, for the models. One row per slice; empty in a build by time alone.
create view warehouse.news as
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
from warehouse.clock as clock
inner join warehouse.build_slices as slices on clock.build_id = slices.build_id
inner join intake.deliveries as deliveries on slices.delivery_id = deliveries.delivery_id;
