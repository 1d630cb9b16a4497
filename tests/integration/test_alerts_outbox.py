"""What is written into the outbox, and what never is. Mend: frontdoor/alerts/outbox.py, telling.py, facts.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from frontdoor import alerts
from frontdoor.contract import Agency, AgencyFeed, Feed, House, Layout, Rule

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HASH = itertools.count()


def rule(rule_id: str, severity: str, role: str = "liaison", title: str = "A field", to_do: str = "Say it.") -> Rule:
    return Rule(
        rule_id, "police", severity, "completeness", "completeness", "record",
        "The lowest grade stands beside serious harm.", to_do, role, (), "x", {}, title,
    )  # fmt: skip


RULES = (
    rule("POL-001", "warning", title="Name and date of birth"),
    rule("POL-002", "critical", title="Grade of the risk to the child"),
    rule("POL-003", "info", title="Same account"),
    rule("POL-004", "warning", title="Sent late"),
    rule("POL-005", "critical", "head_of_service", title="Held without a reason", to_do="Decide today."),
    rule("POL-006", "warning", title="The lowest grade beside serious harm", to_do="Re-grade this child."),
)
FILE_RULES = (rule("FIL-001", "warning", title="A file without records"),)
HOUSE = House(
    feeds={
        "police": Feed(
            "police", "Police notification", "1.0.0", "increment", "triage", "Europe/London", ("a",), ("a",), "a",
            (), (), RULES, {"timeToRepair": 24},
        )
    },
    agencies={
        "wearside_police": Agency(
            "wearside_police", "Wearside Police", "police", "E08000024", "Europe/London", "england", "liaison"
        ),
        "wearside_council": Agency(
            "wearside_council", "Wearside Council", "council", "E08000024", "Europe/London", "england", "liaison"
        ),
    },
    layouts={"cin_census": Layout("cin_census", "Census", ("police",), "xml", {}, "Europe/London")},
    agency_feeds=(
        AgencyFeed(
            "wearside_police", "police", "police", "1", date(2020, 1, 1), None, "csv", {}, {}, ";", (), (),
            tightened={"POL-004": "critical"},
        ),
    ),
    file_rules=FILE_RULES,
)  # fmt: skip


@pytest.fixture
def connection(database: Any) -> Iterator[Any]:
    opened = database.connect()
    with opened.cursor() as cursor:
        for each in (*RULES, *FILE_RULES):
            cursor.execute(
                "insert into quality.checks values (%s, '1.0.0', 'police', %s, %s, %s, 'record', %s, %s, %s)"
                " on conflict do nothing",
                (each.rule_id, each.severity, each.dimension, each.score_dimension, each.recipient_role, each.sentence,
                 each.what_to_do),
            )  # fmt: skip
    yield opened
    opened.rollback()
    opened.close()


def a_file(
    connection: Any, *, agency: str = "wearside_police", source: str = "police", status: str = "received"
) -> int:
    number = next(HASH)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into intake.files (agency_code, source, file_name, taken_token, sha256_received, sha256_stored,"
            " size_bytes, received_at, status, reason_code, reason)"
            " values (%s, %s, 'Canary Kid.csv', %s, %s, '', 1, %s, %s, 'empty', 'The file is empty.')"
            " returning file_id",
            (agency, source, f"token-{number}", str(number), AT, status),
        )
        return int(cursor.fetchone()[0])


def a_delivery(
    connection: Any,
    broken: dict[str, list[int]],
    *,
    records: int = 142,
    dead: int = 0,
    source: str = "police",
    status: str = "published",
    state: str = "new",
    agency: str = "wearside_police",
) -> int:
    file_id = a_file(connection, source=source, agency=agency)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into intake.deliveries (file_id, member_no, agency_code, source, feed, contract_version,"
            " agency_version, status, verdict, size_bytes, records_in, records_loaded, records_dead, received_at)"
            " values (%s, 1, %s, %s, 'police', '1.0.0', '1', %s, %s, 1, %s, %s, %s, %s) returning delivery_id",
            (file_id, agency, source, status, "partly_read" if dead else "accepted", records, records - dead, dead, AT),
        )
        delivery_id = int(cursor.fetchone()[0])
        for rule_id, record_nos in broken.items():
            for record_no in record_nos:
                cursor.execute(
                    "insert into quality.findings (delivery_id, record_no, rule_id, contract_version, state, found_at)"
                    " values (%s, %s, %s, '1.0.0', %s, %s)",
                    (delivery_id, record_no, rule_id, state, AT),
                )
        for line_no in range(1, dead + 1):
            cursor.execute(
                "insert into quality.dead_letters (file_id, delivery_id, line_no, reason_code, reason, found_at,"
                " due_at, owner_role) values (%s, %s, %s, 'nul', 'The line holds a NUL byte.', %s, %s, 'x')",
                (file_id, delivery_id, line_no * 7, AT, AT + timedelta(hours=1)),
            )
    return delivery_id


def messages(connection: Any, **where: Any) -> list[tuple[str, str, str, str]]:
    ((column, value),) = where.items()
    with connection.cursor() as cursor:
        cursor.execute(
            "select agency_code, recipient_role, subject, body from alerts.messages"
            f" where {column} = %s order by recipient_role",
            (value,),
        )
        return list(cursor.fetchall())


def test_message_says_first_what_arrived_then_at_most_three_patterns(connection: Any) -> None:
    delivery_id = a_delivery(
        connection,
        {"POL-001": list(range(1, 15)), "POL-002": [3, 20], "POL-003": [2, 5], "POL-004": [1], "POL-006": [9]},
    )
    assert alerts.compose(connection, HOUSE, [delivery_id]) == 1
    ((agency, role, subject, body),) = messages(connection, delivery_id=delivery_id)
    assert (agency, role) == ("wearside_police", "liaison")
    text = " ".join(body.split())
    assert subject == f"Front door: delivery {delivery_id}: 142 records received, 15 need an answer"
    assert "142 records received, 142 on the front door's list, 15 need an answer." in text
    first, second, third = (text.index(heading) for heading in ("POL-002, critical", "POL-004, critical", "POL-001"))
    assert text.index("999") < first < second < third
    assert "Rows of your file: 4, 21." in text
    assert "Rows of your file: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 4 more." in text
    assert "2 other patterns were found" in text
    assert "POL-003" not in text
    assert "This is not the way to report a child." in text


def test_delivery_without_news_calls_for_no_message(connection: Any) -> None:
    clean = a_delivery(connection, {})
    known = a_delivery(connection, {"POL-001": [1]}, state="persisting")
    unpublished = a_delivery(connection, {"POL-001": [1]}, status="checked")
    assert alerts.compose(connection, HOUSE, [clean, known, unpublished]) == 0


def test_delivery_composed_twice_has_one_message(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-001": [1]})
    assert [alerts.compose(connection, HOUSE, [delivery_id]) for _ in range(2)] == [1, 0]


def test_delivery_published_anew_may_be_told_of_anew(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-001": [1]})
    with connection.cursor() as cursor:
        for expected in (1, 1):
            cursor.execute(
                "insert into intake.delivery_events values (%s, 'checked', 'published', %s)", (delivery_id, AT)
            )
            assert alerts.compose(connection, HOUSE, [delivery_id]) == expected


def test_council_side_rule_goes_to_the_council_and_never_to_the_sender(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-001": [1], "POL-005": [4, 5]})
    assert alerts.compose(connection, HOUSE, [delivery_id]) == 2
    head, liaison = messages(connection, delivery_id=delivery_id)
    assert head[:2] == ("wearside_council", "head_of_service")
    assert liaison[:2] == ("wearside_police", "liaison")
    assert "POL-005" in head[3] and "Decide today." in head[3] and "POL-001" not in head[3]
    assert "POL-005" not in liaison[2] + liaison[3] and "1 needs an answer" in liaison[2]


def test_council_side_rule_alone_tells_the_sender_nothing(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-005": [4]})
    alerts.compose(connection, HOUSE, [delivery_id])
    assert [role for _, role, *_ in messages(connection, delivery_id=delivery_id)] == ["head_of_service"]


def test_unread_lines_come_before_everything_else(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-002": [1]}, dead=2)
    alerts.compose(connection, HOUSE, [delivery_id])
    ((*_, body),) = messages(connection, delivery_id=delivery_id)
    text = " ".join(body.split())
    assert "142 records received, 140 on the front door's list, 3 need an answer. 2 could not be read" in text
    assert text.index("The line holds a NUL byte.") < text.index("POL-002")
    assert "Lines of your file: 7, 14." in text
    assert "By: Monday 2 March 2026, 10:00" in text


def test_file_without_records_still_asks_for_an_answer(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"FIL-001": [0]}, records=0)
    alerts.compose(connection, HOUSE, [delivery_id])
    ((_, _, subject, body),) = messages(connection, delivery_id=delivery_id)
    assert subject.endswith("no record received, the file needs an answer")
    assert "FIL-001, warning, in the file: A file without records" in " ".join(body.split())


def test_return_with_no_rows_is_counted_in_records(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-001": [3]}, source="cin_census")
    alerts.compose(connection, HOUSE, [delivery_id])
    ((*_, body),) = messages(connection, delivery_id=delivery_id)
    assert "counted from the top: 3." in " ".join(body.split())


def test_agency_that_tightened_a_rule_is_told_its_own_severity(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"POL-004": [3]})
    alerts.compose(connection, HOUSE, [delivery_id])
    ((*_, body),) = messages(connection, delivery_id=delivery_id)
    assert "POL-004, critical" in body


def test_words_about_one_child_and_the_name_of_the_file_stay_in_the_house(connection: Any) -> None:
    delivery_id = a_delivery(connection, {each.rule_id: [1] for each in RULES})
    dead = a_file(connection, status="dead_letter")
    alerts.compose(connection, HOUSE, [delivery_id], [dead])
    told = " ".join(
        " ".join(row) for row in messages(connection, delivery_id=delivery_id) + messages(connection, file_id=dead)
    )
    for word in ("Canary", "lowest", "serious harm", "this child", "Re-grade"):
        assert word not in told


def test_dead_file_of_a_known_agency_is_told_to_its_liaison(connection: Any) -> None:
    file_id = a_file(connection, status="dead_letter")
    assert alerts.compose(connection, HOUSE, [], [file_id]) == 1
    assert alerts.compose(connection, HOUSE, [], [file_id]) == 0
    ((agency, role, subject, body),) = messages(connection, file_id=file_id)
    assert (agency, role) == ("wearside_police", "liaison")
    assert f"file {file_id}" in subject
    assert "The file is empty." in body and "999" in body


def test_file_from_nobody_we_know_is_told_to_the_data_engineer(connection: Any) -> None:
    file_id = a_file(connection, agency="unknown", source="unknown", status="dead_letter")
    alerts.compose(connection, HOUSE, [], [file_id])
    ((agency, role, _, body),) = messages(connection, file_id=file_id)
    assert (agency, role) == ("frontdoor", "frontdoor_data_engineer")
    assert "find out who sent it" in " ".join(body.split())


def test_finding_of_a_rule_that_left_the_contract_is_still_told(connection: Any) -> None:
    delivery_id = a_delivery(connection, {"OLD-001": [1]})
    assert alerts.compose(connection, HOUSE, [delivery_id]) == 1
    ((*_, body),) = messages(connection, delivery_id=delivery_id)
    assert "OLD-001, warning" in body


def test_batch_is_composed_delivery_by_delivery(connection: Any) -> None:
    ids = [a_delivery(connection, {"POL-001": [number]}) for number in range(1, 8)]
    assert alerts.compose(connection, HOUSE, ids) == 7
    for number, delivery_id in enumerate(ids, start=1):
        ((*_, body),) = messages(connection, delivery_id=delivery_id)
        assert f"Rows of your file: {number + 1}." in body
