"""The tables that Python owns, on a real Postgres. A failure is mended in frontdoor/warehouse."""

import dataclasses
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from frontdoor import warehouse
from frontdoor.contract import AgencyFeed, Feed, House, Property, load_house
from frontdoor.database import BI_READER
from frontdoor.warehouse import raw_tables, reference_tables, schema
from tests.conftest import Database

pytestmark = [pytest.mark.timeout(120), pytest.mark.on_both_servers]


@pytest.fixture(scope="module")
def house() -> House:
    return load_house()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    opened = database.connect()
    yield opened
    opened.close()


def ask(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        rows = cursor.fetchall() if cursor.description else []
    connection.commit()
    return rows


def with_feed(house: House, feed: Feed) -> House:
    return dataclasses.replace(house, feeds=MappingProxyType({feed.code: feed}))


def field(name: str, kind: str, *, is_list: bool = False) -> Property:
    return Property(name, kind, is_list, "optional", "internal", None, False, "")


def test_migrating_twice_applies_nothing_again(connection: Connection) -> None:
    assert warehouse.migrate(connection) == []
    ((applied,),) = ask(connection, "select count(*) from warehouse.migrations")
    assert applied == len(list(schema.MIGRATIONS.glob("*.sql")))


def test_migrating_from_two_places_at_once_applies_each_file_once(database: Database, tmp_path: Path) -> None:
    (tmp_path / "9001_slow.sql").write_text("select pg_sleep(0.5); create table warehouse.made_once (n integer)")
    applied: list[str] = []

    def migrate() -> None:
        opened = database.connect()
        applied.extend(schema.migrate(opened, tmp_path))
        opened.close()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == ["9001_slow.sql"]


def test_migration_that_fails_leaves_nothing_and_the_ones_before_it(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "9101_good.sql").write_text("create table warehouse.good (n integer)")
    (tmp_path / "9102_bad.sql").write_text("create table warehouse.half (n integer); select 1 / 0")
    with pytest.raises(psycopg2.Error):
        schema.migrate(connection, tmp_path)
    assert ask(connection, "select to_regclass('warehouse.good') is null, to_regclass('warehouse.half') is null") == [
        (False, True)
    ]


def test_migration_changed_after_it_was_applied_is_refused(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "9201_once.sql"
    path.write_text("select 1")
    schema.migrate(connection, tmp_path)
    path.write_text("select 2")
    with pytest.raises(schema.MigrationChanged, match="9201_once"):
        schema.migrate(connection, tmp_path)


def test_raw_tables_of_every_contract_hold_every_property(connection: Connection, house: House) -> None:
    warehouse.ensure_raw_tables(connection, house)
    for feed in house.feeds.values():
        there = set(_columns(connection, feed.code))
        assert {each.name for each in feed.properties} | {"extra", *raw_tables.LINEAGE} == there
        read = _columns(connection, f"{feed.code}_read")
        for each in feed.properties:
            assert read[each.name] == raw_tables.column_type(each)
            assert read[f"{each.name}_state"] == "text"


def test_contract_that_gains_a_property_gains_a_column_and_loses_none(connection: Connection, house: House) -> None:
    feed = dataclasses.replace(next(iter(house.feeds.values())), code="growing", properties=(field("old", "string"),))
    warehouse.ensure_raw_tables(connection, with_feed(house, feed))
    warehouse.ensure_partition(connection, "growing", datetime(2026, 3, 2, tzinfo=UTC))
    ask(
        connection,
        "insert into raw.growing (_agency_code, _delivery_id, _record_no, _received_at, old)"
        " values ('a', 1, 1, '2026-03-02', 'kept')",
    )
    before = ask(connection, "select raw.columns_fingerprint()")
    grown = dataclasses.replace(feed, properties=(field("new", "date", is_list=True),))
    warehouse.ensure_raw_tables(connection, with_feed(house, grown))
    warehouse.ensure_raw_tables(connection, with_feed(house, grown))
    assert ask(connection, "select old, new from raw.growing") == [("kept", None)]
    assert _columns(connection, "growing_read")["new"] == "text[]"
    assert ask(connection, "select raw.columns_fingerprint()") != before


def test_contract_that_changes_a_type_is_refused(connection: Connection, house: House) -> None:
    feed = dataclasses.replace(next(iter(house.feeds.values())), code="fickle", properties=(field("n", "string"),))
    warehouse.ensure_raw_tables(connection, with_feed(house, feed))
    changed = dataclasses.replace(feed, properties=(field("n", "integer"),))
    with pytest.raises(raw_tables.ContractChangesType, match="new name"):
        warehouse.ensure_raw_tables(connection, with_feed(house, changed))


def test_partitions_wanted_by_many_at_once_are_made_once(
    database: Database, connection: Connection, house: House
) -> None:
    warehouse.ensure_raw_tables(connection, house)
    at, errors = datetime(2031, 5, 31, 23, 59, tzinfo=UTC), []

    def want() -> None:
        opened = database.connect()
        try:
            warehouse.ensure_partition(opened, "police", at)
            opened.commit()
        except psycopg2.Error as error:
            errors.append(error)
        opened.close()

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert ask(
        connection, "select count(*) from pg_class where relname in ('police_y2031m05', 'police_read_y2031m05')"
    ) == [(2,)]


def test_partition_is_made_while_another_load_of_the_feed_is_running(
    database: Database, connection: Connection, house: House
) -> None:
    warehouse.ensure_raw_tables(connection, house)
    warehouse.ensure_partition(connection, "police", datetime(2032, 1, 1, tzinfo=UTC))
    connection.commit()
    loading = database.connect()
    with loading.cursor() as cursor:
        cursor.execute(
            "insert into raw.police (_agency_code, _delivery_id, _record_no, _received_at)"
            " values ('a', 1, 1, '2032-01-02')"
        )
    ask(connection, "set lock_timeout = '2s'")
    warehouse.ensure_partition(connection, "police", datetime(2032, 2, 1, tzinfo=UTC))
    connection.commit()
    loading.close()


def test_reference_rows_mirror_their_files(connection: Connection, house: House, tmp_path: Path) -> None:
    warehouse.load_reference(connection, house)
    for path in reference_tables.SEEDS.glob("*.csv"):
        ((rows,),) = ask(connection, f"select count(*) from reference.{path.stem}")
        assert rows > 0, f"{path.name} is empty"
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    fillers = seeds / "fillers.csv"
    fillers.write_text('filler,applies_to,source\nn/k,any,x\n"see ""referral""",narrative,x\n')
    warehouse.load_reference(connection, house, seeds)
    fillers.write_text("filler,applies_to,source\nn/k,narrative,y\n")
    warehouse.load_reference(connection, house, seeds)
    warehouse.load_reference(connection, house, seeds)
    assert ask(connection, "select * from reference.fillers") == [("n/k", "narrative", "y")]
    codes = seeds / "codes.csv"
    codes.write_text("code_list,code,label,attributes,valid_from,valid_to,source\na,b,c,,2020-01-01,,s\n")
    warehouse.load_reference(connection, house, seeds)
    assert ask(connection, "select attributes, valid_to from reference.codes") == [({}, None)]
    warehouse.load_reference(connection, house)


def test_seed_without_a_table_or_with_a_torn_row_says_so(connection: Connection, house: House, tmp_path: Path) -> None:
    path = tmp_path / "strange.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(reference_tables.SeedUnreadable, match="add a migration"):
        warehouse.load_reference(connection, house, tmp_path)
    path.rename(tmp_path / "fillers.csv")
    (tmp_path / "fillers.csv").write_text("filler,applies_to,source\nx,y\n")
    with pytest.raises(reference_tables.SeedUnreadable, match="row 2"):
        warehouse.load_reference(connection, house, tmp_path)


def test_agencies_and_their_mappings_come_from_the_house(connection: Connection, house: House) -> None:
    agreed = AgencyFeed(
        *("wearside_police", "police", "police", "7", date(2020, 1, 1), None, "csv"),
        *({}, {"risk_grade": {"High, really": "red"}}, ";", (), ()),
    )
    warehouse.load_reference(connection, dataclasses.replace(house, agency_feeds=(agreed,)))
    assert ask(connection, "select agency_code, code_list, label, code from reference.code_mappings") == [
        ("wearside_police", "risk_grade", "High, really", "red")
    ]
    assert ask(connection, "select feed, valid_to from reference.agency_feeds") == [("police", None)]
    assert len(ask(connection, "select * from reference.agencies")) == len(house.agencies)
    assert ("police", "triage") in ask(connection, "select feed, worklist from reference.feeds")


@pytest.mark.parametrize(
    ("day", "is_working"),
    [
        ("2020-05-04", True),  # early May moved
        ("2020-05-08", False),
        ("2020-12-28", False),  # Boxing Day's substitute
        ("2021-12-27", False),
        ("2021-12-28", False),
        ("2022-05-30", True),  # spring moved
        ("2022-06-02", False),
        ("2022-06-03", False),
        ("2022-09-19", False),  # one-offs
        ("2023-05-08", False),
        ("2022-12-26", False),
        ("2022-12-27", False),
        ("2022-12-28", True),
        ("2026-12-26", False),  # a Saturday
        ("2026-12-28", False),
        ("2027-01-01", False),
        ("2028-01-03", False),  # New Year's Day 2028 is a Saturday
    ],
)
def test_calendar_knows_the_days_that_lists_forget(
    connection: Connection, house: House, day: str, is_working: bool
) -> None:
    warehouse.load_reference(connection, house)
    assert ask(connection, "select is_working_day from reference.calendar where calendar_date = %s", day) == [
        (is_working,)
    ]


@pytest.mark.parametrize(
    ("start", "stop", "days"),
    [
        ("2026-11-20", "2026-11-20", 0),
        ("2026-11-20", "2026-11-23", 1),  # Friday to Monday
        ("2026-11-21", "2026-11-23", 1),  # Saturday counts as Friday
        ("2026-11-23", "2026-11-20", -1),
        ("2020-12-24", "2020-12-29", 1),
        ("1900-01-01", "2026-11-20", None),
        ("2026-11-20", "9999-12-31", None),
        (None, "2026-11-20", None),
    ],
)
def test_working_days_between_any_two_dates_never_raise(
    connection: Connection, house: House, start: str | None, stop: str, days: int | None
) -> None:
    warehouse.load_reference(connection, house)
    assert ask(connection, "select reference.working_days_between(%s::date, %s::date)", start, stop) == [(days,)]


def test_yesterdays_count_of_working_days_stays_reproducible(connection: Connection, house: House) -> None:
    warehouse.load_reference(connection, house)
    query = "select reference.working_days_between('2022-09-16', '2022-09-20', %s::date)"
    assert ask(connection, query, "2022-09-09") == [(2,)]
    assert ask(connection, query, "2022-09-10") == [(1,)]


def test_adding_working_days_lands_on_a_working_day(connection: Connection, house: House) -> None:
    warehouse.load_reference(connection, house)
    query = "select reference.add_working_days(%s::date, %s)"
    assert ask(connection, query, "2026-12-24", 1) == [(date(2026, 12, 29),)]
    assert ask(connection, query, "2026-12-24", 0) == [(date(2026, 12, 24),)]
    assert ask(connection, query, "2026-12-27", 1) == [(date(2026, 12, 29),)]
    assert ask(connection, query, "1850-01-01", 1) == [(None,)]


def test_check_catalogue_holds_every_rule_of_every_contract(connection: Connection, house: House) -> None:
    warehouse.publish_checks(connection, house)
    warehouse.publish_checks(connection, house)
    published = {
        (rule, version) for rule, version in ask(connection, "select rule_id, contract_version from quality.checks")
    }
    for feed in house.feeds.values():
        assert {(rule.rule_id, feed.version) for rule in (*feed.rules, *house.file_rules)} <= published


def test_bi_reader_reads_bi_and_nothing_else(database: Database, connection: Connection, house: House) -> None:
    warehouse.ensure_raw_tables(connection, house)
    ask(connection, "create table if not exists bi.made_later as select 1 as n")
    ask(connection, "create or replace view bi.seen_later as select count(*) as n from intake.files")
    parameters = connection.info.dsn_parameters | {"user": BI_READER}
    reader = psycopg2.connect(**parameters)
    assert ask(reader, "select n from bi.made_later") == [(1,)]
    assert ask(reader, "select n from bi.seen_later") == [(0,)]
    relations = ask(
        connection,
        "select format('%%I.%%I', nspname, relname) from pg_class join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'v') and nspname !~ '^pg_' and nspname not in ('information_schema', 'bi')",
    )
    assert len(relations) > 20, "nothing to be kept from the reader: this test looks in the wrong place"
    for (relation,) in relations:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(reader, f"select 1 from {relation}")
        reader.rollback()
    for forbidden in (
        "create table bi.mine (n integer)",
        "delete from bi.made_later",
        "create table public.mine (n int)",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(reader, forbidden)
        reader.rollback()
    reader.close()


def _columns(connection: Connection, table: str) -> dict[str, str]:
    rows = ask(
        connection,
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        f'raw."{table}"',
    )
    return dict(rows)
