{#- Generated from the contracts by python -m frontdoor.warehouse.sources: change the contract, not this file. -#}
{% macro rooms() %}
    {{ return({
        'feeds': [
            {
                'feed': 'police',
                'fact': 'fct_notification'
            },
            {
                'feed': 'referral',
                'fact': 'fct_contact'
            },
            {
                'feed': 'visit',
                'fact': 'fct_visit'
            }
        ],
        'measured': [
            {
                'feed': 'police',
                'fact': 'fct_notification'
            },
            {
                'feed': 'referral',
                'fact': 'fct_contact'
            },
            {
                'feed': 'visit',
                'fact': 'fct_visit'
            }
        ],
        'triage': [
            {
                'feed': 'police',
                'fact': 'fct_notification'
            },
            {
                'feed': 'referral',
                'fact': 'fct_contact'
            }
        ],
        'indicators': [
            'q06_effort',
            'q06_graded',
            'q06_high_grade',
            'q06_lag',
            'q06_lag_minutes',
            'q06_low_grade',
            'q06_sufficiency',
            'q06_unknown',
            'q12_effort',
            'q12_sufficiency',
            'q12_unknown',
            'q16_visit_gap'
        ]
    }) }}
{% endmacro %}
