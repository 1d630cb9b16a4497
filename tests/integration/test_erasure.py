"""One child is erased on request: nothing of it is found anywhere, everything of the child beside it is, and what was
counted stays counted. That it stays so, whatever is lost and brought back, test_erasure_outlives.py shows.

Mend: frontdoor/delivery/erasing (which rows), frontdoor/intake/remainder.py (the archive), dbt_project/macros/blocks.sql
(what was counted).
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from frontdoor import delivery, intake
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.delivery.erasing import requests, rows
from frontdoor.intake import archive, remainder
from frontdoor.prepare import prepare
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.conftest import Database

POLICE, FEED = "wearside_police", "police"
pytestmark = pytest.mark.on_both_servers

HOUSE = load_house()
CHILD = {
    "forename": "Zorvika", "surname": "Quelmarsh", "dob": "2014-05-06", "nhs_number": "9998800017",
    "address": "17 Vantablossom Terrace", "child_ref": "QX-001177", "narrative": "the glimmerfox was under the stairs",
}  # fmt: skip
BESIDE = {
    "forename": "Orlagh", "surname": "Brambleton", "dob": "2013-02-03", "nhs_number": "9998800025",
    "address": "18 Umberfield Rise", "child_ref": "QX-002288", "narrative": "the wolverkin was in the garden",
}  # fmt: skip
HANDED_ON = ("--handed-to", "duty desk of the other authority", "--evidence", "call logged, their number 4411")
WHY = ("--reason", "The child lives in another authority.", "--by", "team_manager")


def values(child: dict[str, str]) -> set[str]:
    born = datetime.fromisoformat(child["dob"])
    return {*child.values(), born.strftime("%d/%m/%Y"), child["nhs_number"][:9]}


class Here:
    """The platform of these tests."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.database, self.settings, self.capsys, self.monkeypatch = database, database.settings, capsys, monkeypatch
        for name, value in as_environment(database.settings).items():
            monkeypatch.setenv(name, value)

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        connection = self.database.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall()
        finally:
            connection.close()

    def land(self, content: bytes, name: str = "notices") -> int:
        folder = self.settings.landing / POLICE / FEED
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".incoming").write_bytes(content)
        time.sleep(0.02)
        os.rename(folder / ".incoming", folder / f"{name}-{time.time_ns()}.csv")
        assert delivery.ingest(self.settings)["models_failed"] == 0
        return int(self.all("select max(delivery_id) from intake.deliveries")[0][0])

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        self.capsys.readouterr()
        code = main([*arguments, "--json"])
        return code, json.loads(self.capsys.readouterr().out)

    def erase(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        return self.command("erase", "child", *arguments, *WHY)

    def key(self, child: dict[str, str]) -> str:
        ((key,),) = self.all("select distinct child_key from raw.police_read where child_ref = %s", child["child_ref"])
        return str(key)

    def everything(self) -> bytes:
        """The database as text (what Postgres remembers to plan by, too), the opened archive, and the house's folders."""
        parts = []
        for (name,) in self.all(
            "select format('%%I.%%I', nspname, relname) from pg_class inner join pg_namespace on relnamespace ="
            " pg_namespace.oid where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
        ):
            parts += [name, *(row for (row,) in self.all(f"select kept::text from {name} as kept"))]
        parts += [row for (row,) in self.all("select kept::text from pg_catalog.pg_stats as kept")]
        found = [part.encode() for part in parts if part]
        for name in archive.each(self.settings):
            with archive.opened(self.settings, name) as kept, kept.open() as file:
                found += [file.read(), json.dumps(kept.label).encode()]
        home = self.settings.home
        found += [path.read_bytes() for path in home.rglob("*") if path.is_file() and "archive" not in path.parts]
        found += [str(path.relative_to(home)).encode() for path in home.rglob("*")]
        return b"\n".join(found)

    def state(self, delivery_id: int) -> dict[str, list[Any]]:
        """What there is of a delivery, but for when."""
        return {
            name: self.all(query, delivery_id)
            for name, query in {
                "raw": "select to_jsonb(sent) from raw.police as sent where _delivery_id = %s order by _record_no",
                "read": "select to_jsonb(sent) from raw.police_read as sent where _delivery_id = %s order by _record_no",
                "findings": "select record_no, record_key, rule_id, state from quality.findings where delivery_id = %s order by 1, 3",
                "triage": "select to_jsonb(listed) from worklists.triage as listed where delivery_id = %s order by record_no",
                "versions": "select to_jsonb(kept) - 'known_from' from core.fct_notification_version as kept"
                " where delivery_id = %s order by record_no",
                "ledger": "select status, verdict, records_in, records_loaded, records_dead, records_removed"
                " from intake.deliveries where delivery_id = %s",
            }.items()
        }

    def indicators(self) -> list[Any]:
        return self.all(
            "select indicator_id, agency_code, team_code, element, period_grain, period_start, basis, numerator,"
            " denominator, unknown_count from indicators.indicator_values order by 1, 2, 3, 4, 5, 6, 7"
        )

    def failed(self) -> list[Any]:
        return self.all(
            "select delivery_id, rule_id, failed_count from core.fct_rule_score where failed_count > 0 order by 1, 2"
        )


@pytest.fixture(scope="module")
def prepared(database: Database) -> Database:
    prepare(database.settings)
    return database


@pytest.fixture
def here(prepared: Database, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Here]:
    yield Here(prepared, monkeypatch, capsys)


def notices(seed: int, *children: dict[str, str], more: str = "") -> bytes:
    """Five police records: the second and fourth are of the children given, under one more header and a strange label."""
    table = list(csv.reader(io.StringIO(sample_records(HOUSE, POLICE, FEED, 5, seed=seed).decode("utf-8-sig"))))
    agreed = HOUSE.agency_feed(POLICE, FEED, FEED, datetime.now(UTC).date())
    assert agreed is not None
    named = {prop: header for header, prop in agreed.headers.items()}
    header = [*table[0], "Seen by"]
    body = [[*row, ""] for row in table[1:]]
    for child, row in zip(children, (body[1], body[3]), strict=False):
        for prop, value in child.items():
            written = datetime.fromisoformat(value).strftime("%d/%m/%Y") if prop == "dob" else value
            column = named.get(prop, prop)
            if column in header:
                row[header.index(column)] = written
        row[-1] = f"Somebody of {child['surname']}{more}"
        row[header.index(named.get("notice_type", "notice_type"))] = f"Row at {child['surname']}'s"
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([header, *body])
    return out.getvalue().encode()


def test_nothing_of_the_child_is_left_and_all_of_the_other(here: Here) -> None:
    first = here.land(notices(11, CHILD, BESIDE), name=CHILD["surname"])
    second = here.land(notices(12))
    everything = here.everything()
    missing = {value for value in values(CHILD) if value.encode() not in everything} - {CHILD["dob"], "06/05/2014"}
    assert len(missing) < 3, f"the search would see it if it were there, but did not see {missing}"
    left = {value for value in values(BESIDE) if value.encode() in everything}
    ((listed,),) = here.all("select count(*) from worklists.triage")
    indicators, failed = here.indicators(), here.failed()
    here.all(
        "insert into quality.disputes (delivery_id, rule_id, record_no, answer, reason, by_role, answered_at)"
        " values (%s, 'POL-019', null, 'no_action', %s, 'liaison', now()) returning 1",
        first, f"That was {CHILD['forename']}",
    )  # fmt: skip
    key = here.key(CHILD)

    code, planned = here.erase("--key", key)
    assert code == 0 and not planned["applied"] and "still waits for a decision" in planned["obstacles"][0]
    assert planned["relations"]["raw.police"] == planned["relations"]["worklists.triage"] == 1
    assert here.erase("--key", key, "--apply")[0] == 2, "an undecided child is on the list until somebody has it"
    assert here.all("select count(*) from worklists.triage") == [(listed,)]
    named = f"of {CHILD['surname']}"
    assert here.erase("--key", key, "--apply", "--handed-to", named, "--evidence", "a call")[0] == 2, "no value is kept"
    code, gone = here.erase("--key", key, "--apply", *HANDED_ON)
    assert code == 0 and gone["applied"], gone

    after = here.everything()
    assert not [value for value in values(CHILD) | {key} if value.encode() in after]
    assert not [value for value in left if value.encode() not in after]
    assert here.all("select count(*) from worklists.triage") == [(listed - 1,)]
    assert here.indicators() == indicators and here.failed() == failed
    assert here.all(
        "select sha256_received <> sha256_stored, file_name from intake.files inner join intake.deliveries using (file_id)"
        " where delivery_id = %s", first,
    ) == [(True, remainder.NO_NAME)]  # fmt: skip
    assert here.all("select delivery_id, record_no, member_no from intake.tombstones") == [(first, 2, 1)]
    assert here.all("select handed_to, state from intake.erasures") == [("duty desk of the other authority", "done")]
    assert not here.all("select 1 from worklists.reconciliation_breaks")

    # Judged again, and loaded again from the archive: the same.
    before = here.state(first)
    assert main(["replay", "--delivery", str(first)]) == 0
    assert here.state(first) == before and here.indicators() == indicators and here.failed() == failed
    assert _loaded_anew(here, first) == [row for (row,) in before["raw"]]
    assert here.state(second)["ledger"][0][3:] == (5, 0, 0)

    # A relation that is made anew has what was counted, too.
    here.all("drop table core.fct_sufficiency, core.fct_notification_telling cascade; select 1")
    assert delivery.build(here.settings, even_if_nothing=True)["models_failed"] == 0
    here.land(notices(13))
    now = {tuple(row[:7]): row for row in here.indicators()}
    assert all(now[tuple(row[:7])][8] >= row[8] for row in indicators), "no denominator has shrunk"


def _loaded_anew(here: Here, delivery_id: int) -> list[Any]:
    """What loading the delivery from the archive gives; nothing is kept."""
    connection = here.database.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("update intake.deliveries set status = 'received' where delivery_id = %s", (delivery_id,))
            cursor.execute("delete from raw.police where _delivery_id = %s", (delivery_id,))
            cursor.execute("delete from quality.findings where delivery_id = %s", (delivery_id,))
            assert intake.load(connection, here.settings, HOUSE, delivery_id) == "loaded"
            cursor.execute(
                "select to_jsonb(sent) from raw.police as sent where _delivery_id = %s order by _record_no",
                (delivery_id,),
            )
            return [row for (row,) in cursor.fetchall()]
    finally:
        connection.rollback()
        connection.close()


def test_child_who_is_sent_again_is_on_the_list_and_somebody_is_told(here: Here) -> None:
    child = {**CHILD, "child_ref": "QX-002299"}
    file = notices(21, child, BESIDE)
    here.land(file)
    assert here.erase("--key", here.key(child), "--apply", *HANDED_ON)[0] == 0
    again = here.land(file)
    assert here.all("select count(*) from intake.files where status = 'duplicate'") == [(0,)]
    assert here.all("select record_no from worklists.triage where delivery_id = %s", again) == [(2,)]
    assert here.all("select delivery_id, record_no from intake.erased_came_again where delivery_id = %s", again)[0] == (
        again,
        2,
    )
    code, document = here.command("erase", "again", "--noted", "--by", "team_manager")
    assert code == 0 and {(each["delivery_id"], each["record_no"]) for each in document["came_again"]} == {(again, 2)}
    assert here.command("erase", "again")[1]["came_again"] == []
    assert here.erase("--key", here.key(child), "--apply", *HANDED_ON)[0] == 0
    assert not [value for value in values(child) if value.encode() in here.everything()]


def test_two_children_under_one_key_are_refused_until_the_records_are_named(here: Here) -> None:
    twin = {**BESIDE, "child_ref": "QX-003399"}
    one = here.land(notices(31, {**CHILD, "child_ref": "QX-003399"}, twin))
    code, said = here.erase("--key", here.key(twin), "--apply", *HANDED_ON)
    assert code == 2 and "Two children may stand under one key" in said["error"] and f"{one}:2" in said["error"]
    assert not [value for value in values(CHILD) if value in said["error"]]
    assert here.erase("--record", f"{one}:2", "--apply", *HANDED_ON)[0] == 0
    assert here.all("select record_no from worklists.triage where delivery_id = %s order by 1", one) == [
        (1,),
        (3,),
        (4,),
        (5,),
    ]
    assert here.all("select forename from raw.police where _delivery_id = %s and _record_no = 4", one) == [
        (BESIDE["forename"],)
    ]
    assert CHILD["forename"].encode() not in here.everything()


def test_unread_lines_of_the_same_file_are_followed_up_first(here: Here) -> None:
    child = {**CHILD, "child_ref": "QX-004400"}
    one = here.land(notices(41, child, BESIDE) + b'"torn line of Quelmarsh\n')
    code, said = here.erase("--key", here.key(child), "--apply", *HANDED_ON)
    assert code == 2 and "could not be read" in said["error"]
    ((letter,),) = here.all("select dead_letter_id from quality.dead_letters where delivery_id = %s", one)
    assert (
        here.command("unread", "close", str(letter), "--outcome", "told_by_telephone", "--by", "team_manager")[0] == 0
    )
    assert here.erase("--key", here.key(child), "--apply", *HANDED_ON)[0] == 0
    assert b"Quelmarsh" not in here.everything()
    assert _loaded_anew(here, one) == [row for (row,) in here.state(one)["raw"]]


@pytest.mark.parametrize("where", ["note", "remove", "keep", "rename_stored", "vacuum"])
def test_death_at_any_step_is_finished_by_the_next_look(here: Here, where: str) -> None:
    child = {**CHILD, "child_ref": f"QX-005{sum(map(ord, where))}"}
    one = here.land(notices(500 + sum(map(ord, where)), child, BESIDE))
    module = {"note": requests, "remove": rows, "keep": remainder, "rename_stored": remainder.ledger, "vacuum": rows}[
        where
    ]
    real = getattr(module, where)

    def dies(*arguments: Any, **named: Any) -> Any:
        if where in ("remove", "keep"):
            real(*arguments, **named)
        raise SystemExit("killed")

    with here.monkeypatch.context() as patched:
        patched.setattr(module, where, dies)
        with pytest.raises(SystemExit):
            main(["erase", "child", "--key", here.key(child), "--apply", *WHY, *HANDED_ON])
    code, document = here.command("erase", "resume")
    assert code == 0 and len(document["done"]) == 1
    assert not [value for value in values(child) if value.encode() in here.everything()]
    assert here.all("select record_no from worklists.triage where delivery_id = %s order by 1", one) == [
        (1,),
        (3,),
        (4,),
        (5,),
    ]
    assert here.command("erase", "resume")[1]["done"] == []
