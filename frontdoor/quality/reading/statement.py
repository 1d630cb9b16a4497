"""The one statement that reads deliveries of one sender: insert into raw.<feed>_read select .. from raw.<feed>.

Layers, each fenced by `offset 0` so that what it computes is computed once: text as sent and trimmed; stamps and dates
in ISO order; the clock on the wall; typed values; states, keys and hash. The letters of sufficiency come last, because
the contract writes its elements over what was read.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from frontdoor.contract import Feed, Property
from frontdoor.quality.reading import columns, serial_numbers
from frontdoor.quality.reading.columns import Dialect
from frontdoor.quality.reading.formats import iso_order
from frontdoor.quality.reading.labels import identifier, literal

LINEAGE = ("_agency_code", "_delivery_id", "_record_no", "_received_at")
# What is known of the sender and no record can say of itself.
SENDER = "_agency_kind"
ACCOUNT = ("_account_words", "_account_told")
KEYS = ("record_key", "content_hash", "has_own_key", "child_key", "sender_reference", *ACCOUNT, "_sufficiency")
UNIT, RECORD = "E'\\x1f'", "E'\\x1e'"


def where(
    delivery_ids: Sequence[int], received: tuple[datetime, datetime], records: tuple[int, int] | None = None
) -> str:
    """The condition that finds the records of deliveries; the instants let Postgres leave other months alone."""
    ids = ", ".join(str(int(each)) for each in delivery_ids)
    first, last = (literal(each.isoformat()) for each in received)
    within = f"_delivery_id in ({ids}) and _received_at between {first} and {last}"
    return within if records is None else f"{within} and _record_no between {int(records[0])} and {int(records[1])}"


def reading(feed: Feed, agency_kind: str | None, dialect: Dialect, letters: str, condition: str) -> str:
    """SQL that reads what `condition` finds. letters: SQL of _sufficiency over the columns that were read."""
    dated = [each for each in feed.properties if each.kind in ("date", "timestamp") and not each.is_list]
    stamps = [each for each in dated if each.kind == "timestamp"]
    as_sent = _names(feed.properties)
    lineage = ", ".join([*LINEAGE, SENDER])
    placed = ", ".join([*LINEAGE, f"{_kind(agency_kind)} as {SENDER}"])
    trimmed = ", ".join(f"reading.trimmed({name}) as {name}" for name in as_sent)
    ordered = ", ".join(
        [*LINEAGE, SENDER, "extra", *_replaced(as_sent, {each.name: _in_iso_order(each, dialect) for each in dated})]
    )
    walls = [f"reading.wall_clock({_q(each)}) as {identifier('_wall_' + each.name)}" for each in stamps]
    values = [f"{columns.value(each, dialect)} as {_q(each)}" for each in feed.properties]
    kept = [
        f"sent.{name} as {identifier('_sent_' + each.name)}"
        for each, name in zip(feed.properties, as_sent, strict=True)
    ]
    states = [f"{columns.state(each, dialect)} as {identifier(each.name + '_state')}" for each in feed.properties]
    return f"""
insert into raw.{identifier(feed.code + "_read")}
    ({", ".join([*LINEAGE, SENDER, *KEYS])}, {_pairs(feed)})
with seeds as materialized (select {columns.seeds(dialect)})
select {lineage}, {", ".join(KEYS[:-1])}, {letters}, {_pairs(feed)}
from (
    select {lineage}, {", ".join(_keys(feed))}, {", ".join(as_sent)}, {", ".join(states)}
    from (
        select {lineage}, extra, {", ".join(values)}, {", ".join(kept)}
        from (
            select *{"".join(", " + wall for wall in walls)}
            from (select {ordered} from (
                select {placed}, extra, {trimmed} from raw.{identifier(feed.code)} where {condition} offset 0
            ) as sent offset 0) as sent offset 0
        ) as sent cross join seeds offset 0
    ) as read cross join seeds offset 0
) as read"""


def again(feed: Feed, read: str, told_as: str, letters: str) -> str:
    """SQL that writes what became known of accounts, and the letters anew in the light of it.

    told_as: a query of the places of records of `read`, each with its _account_told.
    """
    place = ("_delivery_id", "_record_no", "_received_at")
    known = [*LINEAGE, SENDER, *(each for each in KEYS if each not in ("_account_told", "_sufficiency"))]
    columns = ", ".join(f"read.{each}" for each in [*known, *_pairs(feed).split(", ")])
    same = " and ".join(f"read.{each} = told.{each}" for each in place)
    return f"""
update {read} as read
set _account_told = told._account_told, _sufficiency = told.letters
from (
    select {", ".join(place)}, _account_told, {letters} as letters
    from (
        select {columns}, told._account_told
        from {read} as read inner join ({told_as}) as told on {same} offset 0
    ) as read
) as told
where {same}"""


def unread(feed: Feed, agency_kind: str | None, condition: str) -> str:
    """SQL that keeps the records that no reading can be made of: nothing is known of them, and nothing is held."""
    nothing = ", ".join(f"null, {literal('unparsed')}" for _ in feed.properties)
    own = "_delivery_id || '#' || _record_no"
    letters = literal("M" * len(feed.elements))
    return f"""
insert into raw.{identifier(feed.code + "_read")}
    ({", ".join([*LINEAGE, SENDER, *KEYS])}, {_pairs(feed)})
select {", ".join(LINEAGE)}, {_kind(agency_kind)}, {own}, 'unread:' || {own}, false, null, null,
    null, null, {letters}, {nothing}
from raw.{identifier(feed.code)} where {condition}"""


def key_of(feed: Feed, instead: Mapping[str, str], text: str) -> str:
    """SQL of the key that a record of raw.<feed> as `sent` has, some properties standing for others.

    text: how a column is trimmed, with braces for its name. As `_keys` makes it of what was read.
    """
    names = [identifier(instead.get(name, name)) for name in feed.key_properties]
    return _digest([literal(feed.code), "sent._agency_code", *(text.format(name) for name in names)])


def _keys(feed: Feed) -> list[str]:
    key = " and ".join(f"read.{identifier(name)} is not null" for name in feed.key_properties)
    own = _digest([literal(feed.code), "_agency_code", *(_sent(name) for name in feed.key_properties)])
    child = " and ".join(f"read.{identifier(name)} is not null" for name in feed.child_properties)
    child_key = _digest([literal("child"), "_agency_code", *(_sent(name) for name in feed.child_properties)])
    hashed = [
        f"{literal(each.name)} || {UNIT} || {_sent(each.name)}" for each in feed.properties if not each.is_technical
    ]
    content = f"concat_ws({RECORD}, {', '.join(hashed)}, nullif(extra::text, '{{}}'))"
    return [
        f"case when {key} then {own} else _delivery_id || '#' || _record_no end as record_key",
        f"encode(sha256(convert_to({content}, 'UTF8')), 'hex') as content_hash",
        f"({key}) as has_own_key",
        f"case when {child} then {child_key} end as child_key",
        f"left(read.{identifier(feed.reference_property)}, 200) as sender_reference",
        f"{_account_words(feed)} as _account_words",
        "null::text as _account_told",
    ]


def _account_words(feed: Feed) -> str:
    return f"reading.words(read.{identifier(feed.account.property)})" if feed.account else "null::bigint"


def _kind(agency_kind: str | None) -> str:
    return f"{literal(agency_kind) if agency_kind else 'null'}::text"


def _digest(parts: list[str]) -> str:
    return f"encode(substring(sha256(convert_to({f' || {UNIT} || '.join(parts)}, 'UTF8')) for 16), 'hex')"


def _in_iso_order(each: Property, dialect: Dialect) -> str:
    is_stamp = each.kind == "timestamp"
    formats = dialect.timestamp_formats if is_stamp else dialect.date_formats
    return serial_numbers.read_as_days(
        _q(each),
        iso_order(_q(each), formats, dialect.received_year, with_time=is_stamp),
        dialect.received_year,
        is_stamp,
    )


def _replaced(names: list[str], by: dict[str, str]) -> list[str]:
    quoted = {identifier(name): sql for name, sql in by.items()}
    return [f"{quoted[name]} as {name}" if name in quoted else name for name in names]


def _names(properties: Sequence[Property]) -> list[str]:
    return [_q(each) for each in properties]


def _pairs(feed: Feed) -> str:
    return ", ".join(f"{_q(each)}, {identifier(each.name + '_state')}" for each in feed.properties)


def _q(each: Property) -> str:
    return identifier(each.name)


def _sent(name: str) -> str:
    return f"read.{identifier('_sent_' + name)}"
