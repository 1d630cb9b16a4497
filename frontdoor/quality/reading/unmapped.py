"""The labels that no mapping knows, written to raw.unmapped_labels: what the work list of labels is made of.

What counts as unknown is asked in the words of the reading itself, so the list and the records cannot disagree.
"""

from collections.abc import Sequence
from datetime import date, datetime
from json import loads

from frontdoor.contract import Feed, House, Property
from frontdoor.quality.reading import columns, statement
from frontdoor.quality.reading.columns import Dialect
from frontdoor.quality.reading.labels import identifier, label, literal

# A longer text is no label, and an index could not hold it.
LONGEST = 200


def note(feed: Feed, dialect: Dialect, delivery_ids: Sequence[int], received: tuple[datetime, datetime]) -> str | None:
    """SQL that writes the labels of deliveries that were just read, in place of what was written; None: no code."""
    coded = [each for each in feed.properties if each.kind == "code"]
    if not coded:
        return None
    states = [identifier(f"{each.name}_state") for each in coded]
    trimmed = [f"reading.trimmed(sent.{identifier(each.name)}) as {identifier(each.name)}" for each in coded]
    said = " union all ".join(_said(each, dialect) for each in coded)
    ids = ", ".join(str(int(each)) for each in delivery_ids)
    return f"""
delete from raw.unmapped_labels where delivery_id in ({ids});
with seeds as materialized (select {columns.seeds(dialect)})
insert into raw.unmapped_labels (delivery_id, property, code_list, label, records_count)
select sent._delivery_id, said.property, said.code_list, left(said.label, {LONGEST}), count(distinct sent._record_no)
from (
    select read.*, {", ".join(trimmed)}
    from (
        select _delivery_id, _record_no, _received_at, {", ".join(states)}
        from raw.{identifier(feed.code + "_read")}
        where {statement.where(delivery_ids, received)} and 'unmapped' in ({", ".join(states)})
        offset 0
    ) as read
    inner join raw.{identifier(feed.code)} as sent
        on read._delivery_id = sent._delivery_id and read._record_no = sent._record_no
        and read._received_at = sent._received_at
    offset 0
) as sent
cross join seeds
cross join lateral ({said}) as said
group by 1, 2, 3, 4"""


def knows(house: House, feed: Feed, agency: str, source: str, code_list: str, text: str, on: date) -> bool:
    """Whether a label would be understood in a file received on a day, under the mapping as it stands now."""
    from frontdoor.quality.reading.run import dialect

    known = loads(dialect(house, feed, agency, source, on).codes.get(code_list, "{}"))
    return text in known or label(text) in known


def _said(each: Property, dialect: Dialect) -> str:
    sent, unknown = f"sent.{identifier(each.name)}", f"sent.{identifier(each.name + '_state')} = 'unmapped'"
    named = f"{literal(each.name)} as property, {literal(each.code_list or '')} as code_list"
    if not each.is_list:
        return f"select {named}, {sent} as label where {unknown}"
    elements, code = columns.elements(each, dialect, sent), columns.code("element", each, dialect)
    return f"select {named}, element as label from {elements} and {unknown} and {code} is null"
