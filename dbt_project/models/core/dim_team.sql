-- Why: the teams that visits are made by. Grain: one row per agency and team. Traps: a label that names no known team leaves a visit without
-- one; indicators then say `not_known`.
{{ config(materialized='view') }}

with agency_feeds as (
    select * from {{ source('reference', 'agency_feeds') }}
),

codes as (
    select * from {{ source('reference', 'codes') }}
),

senders as (
    select distinct agency_feeds.agency_code
    from agency_feeds
    where agency_feeds.feed = 'visit'
)

select
    senders.agency_code,
    codes.code as team_code,
    codes.label as team_name,
    codes.attributes ->> 'kind' as team_kind,
    codes.valid_from,
    codes.valid_to
from senders
cross join codes
where codes.code_list = 'team'
