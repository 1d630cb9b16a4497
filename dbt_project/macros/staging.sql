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

{#- The date from which the age of a child is reckoned: birth, else the stated age, else when the child is due. -#}
{% macro age_reckoned_from(birth_date, age_stated, due_date, received_on) -%}
    coalesce(
        {{ sane_date(birth_date) }},
        case
            when {{ age_stated }} between 0 and 150 then ({{ received_on }} - make_interval(years => {{ age_stated }}))::date
        end,
        {{ sane_date(due_date) }}
    )
{%- endmacro %}

{#-
    The protection markers among what a record says, as a JSON list of `code_list:code` without doubles; to be joined laterally, so that it is
    worked out once. Which codes are markers is an attribute of the code seed, which the partnership signs; a code that ever was one is one.
    `said`: code list, attribute, expression of text[].
-#}
{% macro protection_markers(said) -%}
    (
        select coalesce(jsonb_agg(distinct said.code_list || ':' || codes.code), '[]') as facts
        from (
            values
            {%- for code_list, attribute, expression in said %}
            ('{{ code_list }}', {{ expression }}, (
                select array_agg(markers.code)
                from {{ source('reference', 'codes') }} as markers
                where markers.code_list = '{{ code_list }}' and markers.attributes ->> '{{ attribute }}' = 'true'
            )){{ ',' if not loop.last }}
            {%- endfor %}
        ) as said (code_list, codes_said, marker_codes)
        cross join lateral unnest(said.codes_said) as codes (code)
        where codes.code = any(said.marker_codes)
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
