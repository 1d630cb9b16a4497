"""reference.*: constants as dated rows, mirrored from dbt_project/seeds and from the agency files.

Every CSV becomes the table of its name: rows are upserted by the table's key, and rows that left the file leave the
table, in one transaction, so that no reader ever meets an empty table (dbt's own seeds truncate). An empty cell is
null, or the column's default where it has one. The calendar is computed from the holidays: working days counted once,
subtracted ever after.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.contract import House

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
# The years for which holidays.csv is complete.
CALENDAR_FROM, CALENDAR_TO = date(2016, 1, 1), date(2030, 12, 31)

CALENDAR = """
insert into reference.calendar (calendar_date, is_working_day, working_day_no, holiday, known_from)
select
    days.calendar_date,
    days.is_working_day,
    (count(*) filter (where days.is_working_day) over (order by days.calendar_date))::integer,
    days.holiday,
    days.known_from
from (
    select
        series.calendar_date::date as calendar_date,
        extract(isodow from series.calendar_date) < 6 and holidays.holiday_date is null as is_working_day,
        holidays.holiday,
        holidays.known_from
    from generate_series(%s::timestamp, %s::timestamp, interval '1 day') as series (calendar_date)
    left join reference.holidays as holidays on series.calendar_date::date = holidays.holiday_date
) as days
on conflict (calendar_date) do update set
    is_working_day = excluded.is_working_day, working_day_no = excluded.working_day_no,
    holiday = excluded.holiday, known_from = excluded.known_from
where (calendar.is_working_day, calendar.working_day_no, calendar.holiday, calendar.known_from)
    is distinct from (excluded.is_working_day, excluded.working_day_no, excluded.holiday, excluded.known_from)
"""


class SeedUnreadable(RuntimeError):
    """A CSV of dbt_project/seeds that cannot become its table; the message says which and why."""


def load_reference(connection: Connection, house: House, seeds: Path = SEEDS) -> None:
    """Mirror the seeds and the agency files into reference.*; commits once, at the end. Raises `SeedUnreadable`."""
    with database.advisory_lock(connection, "warehouse", "reference", wait=True):
        try:
            with connection.cursor() as cursor:
                for path in sorted(seeds.glob("*.csv")):
                    _mirror_csv(cursor, path)
                cursor.execute(CALENDAR, (CALENDAR_FROM, CALENDAR_TO))
                _mirror_house(cursor, house)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


def _mirror_csv(cursor: Cursor, path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise SeedUnreadable(f"{path.name} has no header.")
    header, body = rows[0], rows[1:]
    uneven = [number for number, row in enumerate(body, start=2) if len(row) != len(header)]
    if uneven:
        raise SeedUnreadable(f"{path.name}, row {uneven[0]}: not as many cells as the header has.")
    mirror(cursor, path.stem, header, ([cell or None for cell in row] for row in body))


def mirror(cursor: Cursor, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Make reference.<table> hold exactly these rows, touching only the ones that differ."""
    known, key = _columns(cursor, table), _key(cursor, table)
    strange = set(columns) - set(known)
    if not known or strange:
        raise SeedUnreadable(
            f"reference.{table} has no {'column ' + min(strange) if known else 'table'}: add a migration."
        )
    staged = sql.Identifier(f"mirror_{table}")
    target = sql.Identifier("reference", table)
    cursor.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            staged, _list(columns), target
        )
    )
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow(["\\N" if cell is None else cell for cell in row])
    buffer.seek(0)
    copy = sql.SQL("copy {} ({}) from stdin (format csv, null '\\N')").format(staged, _list(columns))
    cursor.copy_expert(copy.as_string(cursor.connection), buffer)
    for column in columns:
        if default := known[column]:
            cursor.execute(
                sql.SQL("update {0} set {1} = {2} where {1} is null").format(
                    staged, sql.Identifier(column), sql.SQL(default)
                )
            )
    others = [column for column in columns if column not in key]
    on_conflict: sql.Composable = sql.SQL("do nothing")
    if others:
        on_conflict = sql.SQL("do update set {} where ({}) is distinct from ({})").format(
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in others),
            sql.SQL(", ").join(sql.SQL("kept.{}").format(sql.Identifier(column)) for column in others),
            sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(column)) for column in others),
        )
    cursor.execute(
        sql.SQL("insert into {} as kept ({}) select {} from {} on conflict ({}) {}").format(
            target, _list(columns), _list(columns), staged, _list(key), on_conflict
        )
    )
    cursor.execute(
        sql.SQL("delete from {} where ({}) not in (select {} from {})").format(target, _list(key), _list(key), staged)
    )
    cursor.execute(sql.SQL("drop table {}").format(staged))


def _mirror_house(cursor: Cursor, house: House) -> None:
    mirror(
        cursor,
        "agencies",
        ("agency_code", "agency_name", "kind", "area_code", "timezone", "liaison_role"),
        ((a.code, a.name, a.kind, a.area_code, a.timezone, a.liaison_role) for a in house.agencies.values()),
    )
    mirror(
        cursor,
        "feeds",
        ("feed", "title", "contract_version", "delivery_mode", "worklist", "timezone"),
        ((f.code, f.title, f.version, f.delivery_mode, f.worklist, f.timezone) for f in house.feeds.values()),
    )
    feeds = house.agency_feeds
    mirror(
        cursor,
        "agency_feeds",
        ("agency_code", "source", "feed", "agency_version", "format", "delivery_mode", "valid_from", "valid_to"),
        ((f.agency, f.source, f.feed, f.version, f.format, f.delivery_mode, f.valid_from, f.valid_to) for f in feeds),
    )
    mappings = {
        (f.agency, f.feed, f.version, code_list, label): code
        for f in feeds
        for code_list, labels in f.codes.items()
        for label, code in labels.items()
    }
    mirror(
        cursor,
        "code_mappings",
        ("agency_code", "feed", "agency_version", "code_list", "label", "code"),
        ((*key, code) for key, code in mappings.items()),
    )
    mirror(
        cursor,
        "ambiguous_labels",
        ("agency_code", "source", "feed", "agency_version", "code_list", "label"),
        sorted(
            {
                (f.agency, f.source, f.feed, f.version, code_list, label)
                for f in feeds
                for code_list, labels in f.ambiguous.items()
                for label in labels
            }
        ),
    )


def _columns(cursor: Cursor, table: str) -> dict[str, str | None]:
    cursor.execute(
        """
        select attributes.attname, pg_get_expr(defaults.adbin, defaults.adrelid)
        from pg_attribute as attributes
        left join pg_attrdef as defaults
            on attributes.attrelid = defaults.adrelid and attributes.attnum = defaults.adnum
        where attributes.attrelid = to_regclass(%s) and attributes.attnum > 0 and not attributes.attisdropped
        """,
        (f'reference."{table}"',),
    )
    return dict(cursor.fetchall())


def _key(cursor: Cursor, table: str) -> list[str]:
    cursor.execute(
        """
        select attributes.attname
        from pg_index as indexes
        inner join pg_attribute as attributes
            on indexes.indrelid = attributes.attrelid and attributes.attnum = any(indexes.indkey)
        where indexes.indrelid = to_regclass(%s) and indexes.indisprimary
        """,
        (f'reference."{table}"',),
    )
    return [row[0] for row in cursor.fetchall()]


def _list(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)
