"""The catalogue of checks, published from the contracts: every rule of every version, and who is told what to do.

Rules of the file (FIL-nnn) are published once per contract version, because a finding names the version that judged
its delivery.
"""

from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from frontdoor.contract import House

ANY_FEED = "any"


def publish_checks(connection: Connection, house: House) -> None:
    """Upsert quality.checks; rules of former versions stay. Commits."""
    checks = {}
    for feed in house.feeds.values():
        for rule, of_feed in [(r, feed.code) for r in feed.rules] + [(r, ANY_FEED) for r in house.file_rules]:
            checks[rule.rule_id, feed.version] = (
                *(rule.rule_id, feed.version, of_feed, rule.severity, rule.dimension, rule.score_dimension),
                *(rule.scope, rule.recipient_role, rule.sentence, rule.what_to_do),
            )
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            """
            insert into quality.checks (
                rule_id, contract_version, feed, severity, dimension, score_dimension,
                scope, recipient_role, sentence, what_to_do
            ) values %s
            on conflict (rule_id, contract_version) do update set
                feed = excluded.feed, severity = excluded.severity, dimension = excluded.dimension,
                score_dimension = excluded.score_dimension, scope = excluded.scope,
                recipient_role = excluded.recipient_role, sentence = excluded.sentence, what_to_do = excluded.what_to_do
            """,
            sorted(checks.values()),
        )
    connection.commit()
