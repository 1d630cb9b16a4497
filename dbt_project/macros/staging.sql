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
    The protection markers among what a record says, as a JSON list of `code_list:code` without doubles. Which codes are markers is a dated
    attribute of the code seed, which the partnership signs. `said`: code list, attribute, expression of text[].
-#}
{% macro protection_markers(said, received_on) -%}
    (
        select coalesce(jsonb_agg(distinct codes.code_list || ':' || codes.code), '[]')
        from (
            values
            {%- for code_list, attribute, expression in said %}
            ('{{ code_list }}', '{{ attribute }}', {{ expression }}){{ ',' if not loop.last }}
            {%- endfor %}
        ) as said (code_list, attribute, codes_said)
        cross join lateral unnest(said.codes_said) as said_codes (code)
        inner join {{ source('reference', 'codes') }} as codes
            on
                said.code_list = codes.code_list
                and said_codes.code = codes.code
                and codes.valid_from <= {{ received_on }}
                and coalesce(codes.valid_to >= {{ received_on }}, true)
        where codes.attributes ->> said.attribute = 'true'
    )
{%- endmacro %}

{#- Under the age at which a child can leave, tell or hide; an unborn child is. -#}
{% macro is_infant(name_status, age_reckoned_from, received_on) -%}
    coalesce(
        {{ name_status }} = 'unborn'
        or {{ age_reckoned_from }} > {{ received_on }} - make_interval(years => (
            select thresholds.threshold_value::integer
            from {{ source('reference', 'thresholds') }} as thresholds
            where
                thresholds.threshold_id = 'infant_age_years'
                and thresholds.valid_from <= {{ received_on }}
                and coalesce(thresholds.valid_to >= {{ received_on }}, true)
            order by thresholds.valid_from desc
            limit 1
        )),
        false
    )
{%- endmacro %}
