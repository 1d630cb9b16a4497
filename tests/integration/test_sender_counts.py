"""The sender's own count, by whatever way it is given: held against what came, and never against a record.

Mend: frontdoor/intake/readers/sender_header.py, frontdoor/intake/beside.py, frontdoor/intake/load.py.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import xlsxwriter

from frontdoor import delivery
from tests.integration.test_reconciliation import reconciled
from tests.integration.test_scores import HOUSE, Here, here, prepared, sample  # noqa: F401

SEEDS = iter(range(901, 999))


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lands is published, and no mart is built of it."""
    monkeypatch.setattr(delivery, "ingest", delivery.drain)


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def of_csv(count: object, content: bytes) -> bytes:
    return f"row_count: {count}\n".encode() + content


def of_json(count: object, content: bytes) -> bytes:
    return json.dumps({"row_count": count, "extract_as_of": "2026-03-02T06:00:00", "records": rows(content)}).encode()


def of_json_after(count: object, content: bytes) -> bytes:
    return json.dumps({"records": rows(content), "row_count": count}).encode()


def of_json_lines(count: object, content: bytes) -> bytes:
    return "\n".join(json.dumps(each) for each in ({"row_count": count}, *rows(content))).encode()


def of_workbook(count: object, content: bytes) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Contacts")
        sheet.write_row(0, 0, ["row_count", count])
        for number, row in enumerate(csv.reader(io.StringIO(content.decode("utf-8-sig"))), start=1):
            sheet.write_row(number, 0, row)
    return made.getvalue()


def of_zip(count: object, content: bytes, *, name: str = "night.csv.header.yaml") -> bytes:
    return packed({"night.csv": content, name: f"row_count: {count}\n".encode()})


def of_last_line(count: object, content: bytes) -> bytes:
    return content + f"Total records: {count}\n".encode()


def packed(entries: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return made.getvalue()


def told(here: Here, delivery_id: int) -> tuple[Any, ...]:  # noqa: F811
    """(verdict, in, loaded, the sender's count, rules of files that are broken) of a delivery."""
    ((*counts,),) = here.all(
        "select verdict, records_in, records_loaded, sender_row_count,"
        " array(select rule_id from quality.findings where findings.delivery_id = deliveries.delivery_id"
        "  and rule_id like 'FIL-%%' order by 1)"
        " from intake.deliveries where delivery_id = %s",
        delivery_id,
    )
    return tuple(counts)


@pytest.mark.parametrize(
    ("give", "format_rule"),
    [
        (of_csv, []), (of_json, ["FIL-016"]), (of_json_after, ["FIL-016"]), (of_json_lines, ["FIL-016"]),
        (of_workbook, ["FIL-016"]), (of_zip, []),
    ],
)  # fmt: skip
def test_count_that_agrees_breaks_nothing_and_another_holds_nothing(
    here: Here,  # noqa: F811
    unbuilt: None,
    give: Any,
    format_rule: list[str],
) -> None:
    landed = here.land(give(4, sample(next(SEEDS))))
    assert told(here, landed)[2:] == (4, 4, format_rule)
    landed = here.land(give(6, sample(next(SEEDS))))
    found = ("accepted_with_findings", 4, 4, 6, sorted([*format_rule, "FIL-043"]))
    assert told(here, landed) == found, "no record is held for a count"


def test_another_count_is_a_named_break(here: Here) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    here.land(of_csv(4, sample(next(SEEDS))))
    day, breaks = reconciled(here)
    assert (day["sender_count"], day["uncounted_deliveries"], breaks) == (4, 0, [])
    landed = here.land(of_zip(6, sample(next(SEEDS))))
    day, breaks = reconciled(here)
    assert day["sender_count"] == 10 and day["on_list_count"] == 8
    assert [(each["break_kind"], each["delivery_id"], each["records_count"]) for each in breaks] == [
        ("fewer_than_counted", landed, 2)
    ]


def test_last_line_that_counts_is_the_sender_s_count(here: Here) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    landed = here.land(of_last_line(3, sample(next(SEEDS))))
    assert told(here, landed)[2:] == (4, 3, ["FIL-022"])
    _, breaks = reconciled(here)
    assert [(each["break_kind"], each["records_count"]) for each in breaks] == [("more_than_counted", 1)]


def test_what_we_could_not_read_or_had_before_is_in_the_sender_s_count(here: Here) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    content = sample(next(SEEDS))
    landed = here.land(of_csv(5, content) + b'"never closed\n')
    assert told(here, landed) == ("partly_read", 5, 4, 5, ["FIL-010"])
    again = here.land(of_csv(4, content))
    assert told(here, again)[1:4] == (4, 4, 4)
    day, breaks = reconciled(here)
    assert (day["sender_count"], day["raw_count"], day["superseded_count"], day["unread_count"]) == (9, 8, 4, 1)
    assert {each["break_kind"] for each in breaks} == {"unread"}


def test_entry_beside_a_file_is_no_delivery_and_one_with_anything_else_is(here: Here, unbuilt: None) -> None:  # noqa: F811
    def deliveries_of(content: bytes) -> list[Any]:
        landed = here.land(content)
        return here.all(
            "select records_in, sender_row_count, extract_as_of, member_name from intake.deliveries"
            " inner join intake.members using (file_id, member_no)"
            " where file_id = (select file_id from intake.deliveries where delivery_id = %s) order by delivery_id",
            landed,
        )  # fmt: skip

    here.ahead = timedelta(days=next(SEEDS))
    says = b"row_count: 4\nextract_as_of: 2026-07-02 06:00\n"
    found = deliveries_of(packed({"in/a.csv": sample(next(SEEDS)), "in/a.header.csv": says}))
    assert found == [(4, 4, datetime(2026, 7, 2, 5, tzinfo=UTC), "entry 1")]
    with_record = says + sample(next(SEEDS)).splitlines()[1] + b"\n"
    found = deliveries_of(packed({"a.csv": sample(next(SEEDS)), "a.csv.header.csv": with_record}))
    assert len(found) == 2 and found[0][:2] == (4, None), "what may hold a record is read as a file"
    assert found[1][0] >= 1, "and the record in it is kept"
    found = deliveries_of(packed({"a.csv": sample(next(SEEDS)), "b.header.csv": says}))
    assert len(found) == 2, "it tells of no file that came, and is not lost"
    found = deliveries_of(packed({"a.csv": b"\x00\x01\x02" * 99, "a.header.csv": says}))
    assert [each[0] for each in found] == [0]


def test_nil_return_may_be_signed_beside_its_file(here: Here, unbuilt: None) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    header = sample(next(SEEDS)).splitlines()[0] + b"\n"
    landed = here.land(packed({"a.csv": header, "a.header.yaml": b"nil_signed_by: duty lead\nrow_count: 0\n"}))
    assert here.all(
        "select nil_signed_by, sender_row_count, verdict from intake.deliveries where delivery_id = %s", landed
    ) == [("duty lead", 0, "accepted")]


@pytest.mark.parametrize("said", ["Tavin Ash, 4 St", "4 children", "-4", "4" * 40])
def test_count_that_cannot_be_read_is_none_and_nothing_of_it_is_kept(here: Here, unbuilt: None, said: str) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    landed = here.land(of_csv(said, sample(next(SEEDS))))
    assert told(here, landed)[2:] == (4, None, ["FIL-044"])
    assert here.all(
        "select count(*) from intake.members where reading::text like %s or member_name like %s",
        f"%{said}%",
        f"%{said}%",
    ) == [(0,)]


def test_headers_that_nobody_knows_below_a_count_are_kept_as_a_record(here: Here, unbuilt: None) -> None:  # noqa: F811
    here.ahead = timedelta(days=next(SEEDS))
    landed = here.land(b"row_count: 2\nAlpha;Bravo;Charlie\nA1;Ash;Tavin\nA2;Birch;Sam\n")
    _, records_in, loaded, count, broken = told(here, landed)
    assert (records_in, loaded, count) == (3, 3, 2) and broken == ["FIL-002", "FIL-043"], (
        "a row more, and no child lost"
    )
    extra = here.all("select extra::text from raw.referral where _delivery_id = %s order by _record_no", landed)
    assert "Ash" in extra[1][0]
