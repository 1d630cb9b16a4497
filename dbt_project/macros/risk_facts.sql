{#-
    What a record states of risk, to be joined laterally so that it is worked out once:
    * `facts`, a JSON list without doubles: what a later telling must still say before it may replace this one;
    * `has_marker`: whether a protection marker is stated, or cannot be excluded because a label could not be read.

    A field that states a fact gives `field` and `field:code`; a grade gives `field:rank` for every rank up to its own, so that a higher grade
    contains a lower one. A label that could not be read gives `field` alone: a later telling answers it with any fact of that field, and takes
    it away by silence or by "none".

    `fields`, each of: field, the column of the reading, with its state beside it; is_list; code_list, whose ranks or attributes are meant;
    facts and markers, which codes are one: the name of an attribute there, or the codes themselves (without facts: every code; without
    markers: none); is_graded, when the codes have a rank. The attributes are the partnership's to sign; a code that ever was a marker is one.
-#}
{% macro risk_facts(relation, fields) -%}
    (
        select
            coalesce(jsonb_agg(distinct facts.fact) filter (where facts.fact is not null), '[]') as facts,
            coalesce(bool_or(said.code = any(fields.markers) or (said.code is null and fields.markers is not null)), false) as has_marker
        from (
            values
            {%- for each in fields %}
            {%- set column = relation ~ '.' ~ each.field %}
            (
                '{{ each.field }}',
                {{ codes_up_to(each.code_list, column) if each.is_graded else column if each.is_list else 'array[' ~ column ~ ']' }},
                {{ codes_with(each.code_list, each.facts) }},
                {{ codes_with(each.code_list, each.markers) }},
                {{ column }}_state in ('unmapped', 'unparsed')
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ) as fields (field, codes, facts, markers, is_unread)
        -- A label that could not be read stands as a code that is null.
        cross join lateral unnest(array_remove(fields.codes, null) || case when fields.is_unread then array[null::text] end) as said (code)
        cross join lateral unnest(array[fields.field, fields.field || ':' || said.code]) as facts (fact)
        where said.code is null or said.code = any(coalesce(fields.facts, fields.codes))
    )
{%- endmacro %}

{#- The codes meant: those of a list with an attribute, or the ones given; null for none given. -#}
{% macro codes_with(code_list, meant) -%}
    {%- if meant is string -%}
    (
                    select array_agg(codes.code)
                    from {{ source('reference', 'codes') }} as codes
                    where codes.code_list = '{{ code_list }}' and codes.attributes ->> '{{ meant }}' = 'true'
                )
    {%- elif meant -%}
    array['{{ meant | join("', '") }}']
    {%- else -%}
    null::text[]
    {%- endif -%}
{%- endmacro %}

{#- The ranks from 0 to that of a code, as text[]; empty where the code has none. -#}
{% macro codes_up_to(code_list, column) -%}
    array(
                    select generate_series(0, ((
                        select jsonb_object_agg(codes.code, codes.attributes -> 'rank')
                        from {{ source('reference', 'codes') }} as codes
                        where codes.code_list = '{{ code_list }}'
                    ) ->> {{ column }})::integer)::text
                )
{%- endmacro %}
