{#-
    Wilson's score interval for a rate of `numerator` in `denominator`, to six places; `bound`: 'low' or 'high'. Null without a denominator or
    numerator.
    `standard_errors`: how many of them the interval spans to each side, from reference.thresholds (interval_standard_errors).
-#}
{% macro wilson_interval(numerator, denominator, standard_errors, bound) -%}
    case
        when {{ denominator }} > 0 and {{ numerator }} is not null
            then round((
                {{ 'greatest(0, ' if bound == 'low' else 'least(1, ' -}}
                (
                    {{ numerator }} + {{ standard_errors }} ^ 2 / 2
                    {{ '-' if bound == 'low' else '+' }} {{ standard_errors }} * sqrt(
                        {{ numerator }}::numeric * ({{ denominator }} - {{ numerator }}) / {{ denominator }} + {{ standard_errors }} ^ 2 / 4
                    )
                ) / ({{ denominator }} + {{ standard_errors }} ^ 2))
            )::numeric, 6)::double precision
    end
{%- endmacro %}
