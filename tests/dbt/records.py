"""Records put where the reading would put them, so that the models can be tested without files, readers and checks.

A row is a mapping of contract properties to Python values; a property that is not named is missing. Keys and hashes are
made of the same values as the reading makes them of, though not in the same way: the models only compare them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from frontdoor import quality, warehouse
from frontdoor.contract import House
from frontdoor.settings import Settings

SENDERS = {"police": "wearside_police", "referral": "wearside_schools", "visit": "wearside_council"}
# A Tuesday in a week and a month without a bank holiday.
START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)

Row = Mapping[str, Any]


def prepare(connection: Connection, house: House) -> None:
    """Bring a migrated database to where deliveries can be put into it."""
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    warehouse.publish_checks(connection, house)
    quality.publish_sufficiency_elements(connection, house)
    connection.commit()


def deliver(
    connection: Connection,
    house: House,
    feed: str,
    rows: Sequence[Row],
    *,
    at: datetime = START,
    agency: str | None = None,
    records_in: int | None = None,
    status: str = "published",
    delivery_mode: str | None = None,
    source: str | None = None,
) -> int:
    """Put one published delivery of these rows; its id. `letters` in a row: its sufficiency (default: all present).

    `source`: the layout by which it comes, where it is not the feed itself.
    """
    contract = house.feeds[feed]
    agency = agency or SENDERS[feed]
    warehouse.ensure_partition(connection, feed, at)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
            " size_bytes, received_at, status)"
            " values (%s, %s, 'invented.csv', gen_random_uuid()::text, '', '', 0, %s, 'received') returning file_id",
            (agency, source or feed, at),
        )
        (file_id,) = cursor.fetchone()
        cursor.execute(
            "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
            " agency_version, status, size_bytes, records_in, records_loaded, records_dead, received_at, published_at,"
            " delivery_mode) values (%s, 1, %s, %s, %s, %s, '1', %s, 0, %s, %s, %s, %s, %s, %s) returning delivery_id",
            (
                *(file_id, agency, source or feed, feed, contract.version, status, records_in or len(rows), len(rows)),
                *((records_in or len(rows)) - len(rows), at, at + timedelta(seconds=1), delivery_mode),
            ),
        )
        (delivery_id,) = cursor.fetchone()
        columns = list(warehouse.raw_tables.read_columns(contract))
        values = [
            _read(house, contract, agency, delivery_id, number, at, row, columns)
            for number, row in enumerate(rows, start=1)
        ]
        if values:
            execute_values(
                cursor,
                sql.SQL("insert into {} ({}) values %s")
                .format(sql.Identifier("raw", f"{feed}_read"), sql.SQL(", ").join(map(sql.Identifier, columns)))
                .as_string(connection),
                values,
            )
            execute_values(
                cursor,
                f"insert into raw.{feed} (_agency_code, _delivery_id, _record_no, _received_at) values %s",
                [(agency, delivery_id, number, at) for number in range(1, len(rows) + 1)],
            )
    connection.commit()
    return int(delivery_id)


def publish(connection: Connection, delivery_id: int) -> None:
    """Publish a delivery that was put there unpublished, an hour after it was received."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update intake.deliveries set status = 'published', published_at = received_at + interval '1 hour'"
            " where delivery_id = %s",
            (delivery_id,),
        )
    connection.commit()


def build(settings: Settings) -> warehouse.BuildResult:
    """Build everything; every model must have succeeded and the safety net must have had nothing to do."""
    result = warehouse.build(settings, even_if_nothing=True)
    assert not result.models_failed, f"models failed: {result.models_failed}; run `dbt run` in dbt_project to see why"
    assert result.rescued_count == 0, "the models left records off the list that the safety net had to put there"
    return result


def rows(connection: Connection, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        found = cursor.fetchall()
    connection.commit()
    return found


def _read(
    house: House,
    contract: Any,
    agency: str,
    delivery_id: int,
    number: int,
    at: datetime,
    row: Row,
    columns: Sequence[str],
) -> tuple[Any, ...]:
    said = {name: value for name, value in row.items() if value is not None and name != "letters"}
    unknown = (
        set(said) - {each.name for each in contract.properties} - {f"{each.name}_state" for each in contract.properties}
    )
    assert not unknown, f"no such property: {unknown}"
    key = [str(said.get(name, "")) for name in contract.key_properties]
    has_own_key = any(key[:1])
    child = [str(said.get(name, "")) for name in contract.child_properties]
    reading = {
        "_agency_code": agency,
        "_delivery_id": delivery_id,
        "_record_no": number,
        "_received_at": at,
        "_agency_kind": house.agencies[agency].kind,
        "record_key": _hash(contract.code, agency, *key) if has_own_key else f"{delivery_id}#{number}",
        "content_hash": _hash(*(f"{name}={value}" for name, value in sorted(said.items()))),
        "has_own_key": has_own_key,
        "child_key": _hash("child", agency, *child) if all(child) else None,
        "sender_reference": said.get(contract.reference_property),
        "_account_words": None,
        "_account_told": None,
        "_sufficiency": row.get("letters", "P" * len(contract.elements)),
    }
    for each in contract.properties:
        reading[each.name] = said.get(each.name)
        reading[f"{each.name}_state"] = said.get(f"{each.name}_state", "ok" if each.name in said else "missing")
    return tuple(reading[column] for column in columns)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
