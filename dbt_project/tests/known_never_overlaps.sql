-- A version is known from one instant to a later one, or for no time at all; what stands has no end.
{% for feed in rooms().feeds %}
select
    '{{ feed.fact }}' as fact,
    versions.delivery_id,
    versions.record_no
from {{ ref(feed.fact ~ '_version') }} as versions
where
    versions.known_to < versions.known_from
    or versions.is_current <> (versions.known_to is null)
    or (versions.is_repeat and versions.is_current)
{{ 'union all' if not loop.last }}
{% endfor %}
