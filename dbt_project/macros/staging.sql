{#- What several staging models need of one record. None of these can raise, whatever stands in the record. -#}

{#- A date within the years that date arithmetic can carry; anything else is as good as unknown. -#}
{% macro sane_date(column) -%}
    case when {{ column }} between date '0001-01-01' and date '9999-12-31' then {{ column }} end
{%- endmacro %}

{#- The same for an instant. -#}
{% macro sane_instant(column) -%}
    case when {{ column }} between timestamptz '0001-01-02 00:00:00+00' and timestamptz '9999-12-30 00:00:00+00' then {{ column }} end
{%- endmacro %}

{#- Words of a name as they are compared: case, spaces, hyphens and apostrophes make no other child. -#}
{% macro for_matching(column, state) -%}
    case
        when {{ state }} = 'ok'
            then nullif(regexp_replace(lower({{ column }}), '[[:space:]''’`´.-]+', '', 'g'), '')
    end
{%- endmacro %}

{#-
    The date from which the age of a child is reckoned: birth, else the stated age, else when the child is due. A date or an age that no child
    has says nothing, so the age stays unknown and is read first in the list; a birth to come is that of an unborn child.
-#}
{% macro age_reckoned_from(record, child_age_years) -%}
    coalesce(
        case
            when
                {{ record }}.dob > {{ record }}.received_on - make_interval(years => {{ child_age_years }}::integer)
                and {{ record }}.dob <> all(array(
                    select defaults.code::date
                    from {{ source('reference', 'codes') }} as defaults
                    where defaults.code_list = 'default_date'
                ))
                then {{ sane_date(record ~ '.dob') }}
        end,
        case
            when {{ record }}.age_stated >= 0 and {{ record }}.age_stated < {{ child_age_years }}
                then ({{ record }}.received_on - make_interval(years => {{ record }}.age_stated))::date
        end,
        {{ sane_date(record ~ '.due_date') }}
    )
{%- endmacro %}

{#- Under the age at which a child can leave, tell or hide; an unborn child is. `infant_age_years`: reference.thresholds. -#}
{% macro is_infant(name_status, age_reckoned_from, received_on, infant_age_years) -%}
    coalesce(
        {{ name_status }} = 'unborn'
        or {{ age_reckoned_from }} > {{ received_on }} - make_interval(years => {{ infant_age_years }}::integer),
        false
    )
{%- endmacro %}

{#- The ages that matter, in years, as they stood on a day; to be joined laterally. -#}
{% macro age_limits(on_date) -%}
    (
        select
            max(thresholds.threshold_value) filter (where thresholds.threshold_id = 'child_age_years') as child_age_years,
            max(thresholds.threshold_value) filter (where thresholds.threshold_id = 'infant_age_years') as infant_age_years
        from {{ source('reference', 'thresholds') }} as thresholds
        where
            {{ on_date }} >= thresholds.valid_from
            and coalesce({{ on_date }} <= thresholds.valid_to, true)
    )
{%- endmacro %}
