-- Why: who sends, and in which area and time zone it counts. Grain: one row per agency that the house knows.
{{ config(materialized='view') }}

with agencies as (
    select * from {{ source('reference', 'agencies') }}
)

select
    agencies.agency_code,
    agencies.agency_name,
    agencies.kind as agency_kind,
    agencies.area_code,
    agencies.timezone
from agencies
