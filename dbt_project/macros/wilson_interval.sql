{#-
    Wilson's score interval for a rate of `numerator` in `denominator`, `bound` being 'low' or 'high'. Null without a denominator. The
    number of standard errors is reference.thresholds' `interval_standard_errors`, handed in as a column.
-#}
{% macro wilson_interval(numerator, denominator, standard_errors, bound) -%}
    case
        when {{ denominator }} > 0 then
            {{ 'greatest(0, ' if bound == 'low' else 'least(1, ' -}}
            (
                {{ numerator }}::double precision / {{ denominator }} + {{ standard_errors }}::double precision ^ 2 / (2 * {{ denominator }})
                {{ '-' if bound == 'low' else '+' }} {{ standard_errors }}::double precision * sqrt(
                    greatest(0, {{ numerator }}::double precision * ({{ denominator }} - {{ numerator }})) / {{ denominator }}::double precision ^ 3
                    + {{ standard_errors }}::double precision ^ 2 / (4 * {{ denominator }}::double precision ^ 2)
                )
            ) / (1 + {{ standard_errors }}::double precision ^ 2 / {{ denominator }})
            )
    end
{%- endmacro %}
