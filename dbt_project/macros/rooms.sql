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
            'q06_sufficiency',
            'q16_visit_gap'
        ]
    }) }}
{% endmacro %}
