"""Scores as known then: what each delivery came to when it was first published. Written once; nothing later changes it.

What is counted, and what as not known, says quality.rule_scores (frontdoor/warehouse/migrations); core.fct_rule_score
keeps the same as corrected since.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def fix_first_scores(cursor: Cursor, delivery_ids: Collection[int]) -> None:
    """Fix the counts of these deliveries by dimension, first published now. In the caller's transaction."""
    if not delivery_ids:
        return
    cursor.execute(
        """
        insert into quality.first_scores (
            delivery_id, dimension, checked_count, failed_count, waived_count, excused_count, waived_or_excused_count,
            not_run_count
        )
        select
            delivery_id, dimension, sum(checked_count), sum(failed_count), sum(waived_count), sum(excused_count),
            sum(waived_or_excused_count), sum(not_run_count)
        from quality.rule_scores(%s)
        group by delivery_id, dimension
        on conflict (delivery_id, dimension) do nothing
        """,
        (sorted(delivery_ids),),
    )
