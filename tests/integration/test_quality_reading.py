"""The reading of records: values, states, keys, letters, and that nothing is held. Open frontdoor/quality/reading."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any

import pytest

from frontdoor.contract import Element, House
from tests.integration import quality_support as trial

pytestmark = pytest.mark.on_both_servers

HOSTILE = [
    *(
        "",
        " ",
        "\u00a0",
        "null",
        "NaN",
        "infinity",
        "1e309",
        "0000-00-00",
        "99999-12-31",
        "2026-02-30T25:61:61",
        "9" * 500,
    ),
    *(
        "'; drop table raw.trial; --",
        "{}",
        "{batch}",
        "%s %(x)s",
        "\\",
        "\\x00",
        "E'\\''",
        '"',
        "$$",
        "$body$",
        "<![CDATA[",
    ),
    *(
        "=cmd|' /C calc'!A0",
        "\u202e",
        "\U0001f600" * 50,
        "\u0663\u0664",
        "\uff21\uff22",
        "\x1f\x1e",
        "\n\r\t",
        "x" * 100_000,
    ),
    *("a;b;;c; ;", ";" * 300),
]
PROPERTIES = [
    "ref",
    "child_ref",
    "forename",
    "story",
    "answer",
    "answers",
    "names",
    "born",
    "seen_at",
    "number",
    "system_id",
]
ELEMENTS = (
    Element("name", "true", "forename_state = 'ok'", "answer = 'not_known'"),
    Element("day", "number > 3", "born_state = 'ok'", "false"),
    Element("both", "true", "names_state = 'ok' and seen_at_state = 'ok'", "false"),
)


@pytest.fixture(scope="module")
def house() -> House:
    return trial.house(elements=ELEMENTS)


@pytest.fixture
def connection(database: Any, house: House) -> Any:
    opened = database.connect()
    trial.prepare(opened, house)
    yield opened
    opened.close()


def read_one(connection: Any, house: House, column: str, *sent: Any, **where: Any) -> list[Any]:
    delivery = trial.deliver(connection, [{column: text} for text in sent], **where)
    trial.read(connection, house, delivery)
    return trial.rows(
        connection,
        f"select {column}, {column}_state from raw.trial_read where _delivery_id = %s order by _record_no",
        (delivery,),
    )


def test_text_is_trimmed_and_fillers_say_nothing(connection: Any, house: House) -> None:
    sent = [" Vivian\u00a0", None, "", " N/K ", "see referral", "See  Referral", "Anna van der Berg"]
    assert read_one(connection, house, "forename", *sent) == [
        ("Vivian", "ok"),
        *[(None, "missing")] * 5,
        ("Anna van der Berg", "ok"),
    ]


def test_a_code_is_known_by_code_by_label_and_by_what_was_agreed(connection: Any, house: House) -> None:
    sent = ["yes", "YES", " Yes ", "Not  known", "not-known", "aye", "AYE", "¡No!", "perhaps", "n/k", None]
    assert read_one(connection, house, "answer", *sent) == [
        *[("yes", "ok")] * 3,
        *[("not_known", "ok")] * 2,
        *[("yes", "ok")] * 2,
        ("no", "ok"),
        (None, "unmapped"),
        *[(None, "missing")] * 2,
    ]


def test_a_list_of_codes_keeps_what_is_known_and_says_what_is_not(connection: Any, house: House) -> None:
    sent = ["yes", "yes; no", "yes;;no; ", "yes;perhaps", "perhaps", "perhaps;often", "yes;n/k", ";", "n/k", None]
    assert read_one(connection, house, "answers", *sent) == [
        (["yes"], "ok"),
        *[(["yes", "no"], "ok")] * 2,
        (["yes"], "unmapped"),
        *[(None, "unmapped")] * 2,
        (["yes"], "ok"),
        *[(None, "missing")] * 3,
    ]


def test_a_list_of_texts_is_cut_where_agreed(connection: Any, house: House) -> None:
    assert read_one(connection, house, "names", "Ann", "Ann; Bob ;; n/k", "tbc", None) == [
        (["Ann"], "ok"),
        (["Ann", "Bob"], "ok"),
        *[(None, "missing")] * 2,
    ]


def test_a_date_is_read_as_agreed_or_unparsed(connection: Any, house: House) -> None:
    sent = ["2020-02-29", "29/02/2020", "1 Mar 2020", "01/03/20", "30/02/2020", "spring", "tbc", None]
    leap, march = date(2020, 2, 29), date(2020, 3, 1)
    assert read_one(connection, house, "born", *sent) == [
        *[(leap, "ok")] * 2,
        *[(march, "ok")] * 2,
        *[(None, "unparsed")] * 2,
        *[(None, "missing")] * 2,
    ]


def test_a_stamp_is_local_unless_it_says_otherwise(connection: Any, house: House) -> None:
    sent = [
        "2026-07-01 10:00",
        "01/07/2026 10:00",
        "2026-07-01T10:00:00Z",
        "2026-07-01T10:00:00+02:00",
        "2026-07-01",
        "?",
    ]
    nine = datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert read_one(connection, house, "seen_at", *sent) == [
        *[(nine, "ok")] * 2,
        (nine.replace(hour=10), "ok"),
        (nine.replace(hour=8), "ok"),
        (None, "unparsed"),
        (None, "missing"),
    ]


def test_the_hours_in_which_clocks_change_are_read_and_noted(connection: Any, house: House) -> None:
    sent = ["2026-10-25 01:30", "2026-10-25T01:30:00Z", "2026-03-29 01:30", "2026-10-25 02:30", "2026-10-25 00:30"]
    found = read_one(connection, house, "seen_at", *sent)
    assert [stamp.strftime("%d %H:%M") for stamp, _ in found] == [
        "25 00:30",
        "25 01:30",
        "29 01:30",
        "25 02:30",
        "24 23:30",
    ]
    noted = trial.rows(connection, "select record_no, rule_id, state from quality.findings order by record_no")
    assert noted == [(1, "FIL-011", "new"), (3, "FIL-011", "new")]


def test_numbers_of_a_spreadsheet_are_days_and_noted_where_no_format_fits(connection: Any, house: House) -> None:
    days = read_one(connection, house, "born", "45321", "45321.75", " 45321 ", "14610", "99999", "4532", "453210")
    assert days == [*[(date(2024, 1, 30), "ok")] * 3, *[(None, "unparsed")] * 4]
    noted = trial.rows(connection, "select record_no, rule_id, state from quality.findings order by record_no")
    assert noted == [(record_no, "FIL-033", "new") for record_no in (1, 2, 3)]


def test_numbers_of_a_spreadsheet_are_stamps_with_their_time_of_day(connection: Any, house: House) -> None:
    found = read_one(
        connection, house, "seen_at", "45321", "45321.604166666664", "45321.9999999", "45.321", "30.01.2024"
    )
    assert [(stamp.isoformat() if stamp else None) for stamp, _ in found] == [
        "2024-01-30T00:00:00+00:00",
        "2024-01-30T14:30:00+00:00",
        "2024-01-30T23:59:59+00:00",
        None,
        None,
    ]


def test_a_format_of_the_agency_comes_before_the_number(connection: Any) -> None:
    agreed = trial.house(agency={"date_formats": ("DD.MM.YYYY",)})
    assert read_one(connection, agreed, "born", "30.01.2024", "45321") == [(date(2024, 1, 30), "ok")] * 2


def test_reading_again_replaces_the_reading(connection: Any, house: House) -> None:
    delivery = trial.deliver(connection, [{"ref": "R1", "seen_at": "2026-10-25 01:30"}, {"ref": "R2"}])
    for _ in range(2):
        trial.read(connection, house, delivery)
        assert trial.rows(connection, "select count(*) from raw.trial_read") == [2]
        assert trial.rows(connection, "select count(*) from quality.findings") == [1]


def test_hostile_text_in_every_column_holds_no_record(connection: Any, house: House) -> None:
    everything = [dict.fromkeys(PROPERTIES, text) for text in HOSTILE]
    everything += [{"extra": {text[:100]: text}, "ref": text} for text in HOSTILE]
    delivery = trial.deliver(connection, everything)
    trial.read(connection, house, delivery)
    found = trial.rows(connection, "select count(*), count(distinct _record_no), count(record_key) from raw.trial_read")
    assert found == [(len(everything),) * 3]
    states = {
        state for name in PROPERTIES for state in trial.rows(connection, f"select {name}_state from raw.trial_read")
    }
    assert states == {"ok", "missing", "unmapped", "unparsed"}


def test_a_key_is_made_of_what_identifies_and_never_of_nothing(connection: Any, house: House) -> None:
    sent = [
        {"ref": "R1", "child_ref": "1"},
        {"ref": " R1 ", "child_ref": "1"},
        {"ref": "R1", "child_ref": "2"},
        {"ref": "r1", "child_ref": "1"},
        {"ref": "R1"},
        {"ref": "R1"},
        {"ref": "n/k", "child_ref": "1"},
    ]
    delivery = trial.deliver(connection, sent)
    trial.read(connection, house, delivery)
    keys = trial.rows(
        connection,
        "select record_key, has_own_key, child_key, sender_reference from raw.trial_read order by _record_no",
    )
    assert keys[0][0] == keys[1][0]
    assert len({key for key, *_ in keys}) == 6
    assert [own for _, own, *_ in keys] == [True] * 4 + [False] * 3
    assert [key for key, own, *_ in keys if not own] == [f"{delivery}#{number}" for number in (5, 6, 7)]
    assert keys[0][2] == keys[6][2] and keys[4][2] is None
    assert [reference for *_, reference in keys] == ["R1", "R1", "R1", "r1", "R1", "R1", None]


def test_the_same_key_of_another_sender_is_another_key(connection: Any, house: House) -> None:
    record = {"ref": "R1", "child_ref": "1"}
    mine, other = trial.deliver(connection, [record]), trial.deliver(connection, [record], agency="townspeople")
    trial.read(connection, house, mine, other)
    assert len(set(trial.rows(connection, "select record_key from raw.trial_read"))) == 2


def test_the_content_hash_changes_with_content_and_with_nothing_else(connection: Any, house: House) -> None:
    base = {"ref": "R1", "child_ref": "1", "forename": "Ann"}
    same = [base, base | {"forename": " Ann\u00a0"}, base | {"system_id": "77"}]
    changed = [
        base | {"forename": "Bob"},
        base | {"extra": {"colour": "blue"}},
        {**base, "forename": None, "story": "Ann"},
    ]
    delivery = trial.deliver(connection, same + changed)
    trial.read(connection, house, delivery)
    hashes = trial.rows(connection, "select content_hash from raw.trial_read order by _record_no")
    assert len(set(hashes[:3])) == 1
    assert len(set(hashes)) == 4


def test_letters_tell_present_unknown_missing_and_not_applicable(connection: Any, house: House) -> None:
    sent = [
        {"forename": "Ann", "number": "4", "born": "2020-01-01"},
        {"answer": "not known", "number": "4"},
        {"number": "2"},
        {},
    ]
    mine = trial.deliver(connection, sent)
    public = trial.deliver(connection, sent[:1], agency="townspeople")
    by_layout = trial.deliver(connection, sent[:1], source="trial_return")
    trial.read(connection, house, mine, public, by_layout)
    letters = trial.rows(connection, "select _sufficiency from raw.trial_read order by _delivery_id, _record_no")
    # Whether the day applies is unknown in the last of four records, so it is asked for. The return has names only.
    assert letters == ["PPM", "UMM", "MNM", "MMM", "NNN", "PNN"]
    words = trial.rows(
        connection,
        "select element, state from quality.sufficiency where delivery_id = %s and record_no = 2 order by element",
        (mine,),
    )
    assert words == [("both", "missing"), ("day", "missing"), ("name", "unknown_with_reason")]


def test_an_element_that_fails_on_one_record_leaves_only_that_one_unread(
    connection: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = trial.house(elements=[Element("sum", "true", "1 / (number - 7) > 0", "false")])
    delivery = trial.deliver(
        connection, [{"ref": f"R{n}", "child_ref": "1", "number": str(n), "forename": "Zebedee"} for n in range(1, 41)]
    )
    with caplog.at_level(logging.ERROR):
        trial.read(connection, broken, delivery)
    found = trial.rows(
        connection, "select _record_no, number, record_key from raw.trial_read where number_state = 'unparsed'"
    )
    assert found == [(7, None, f"{delivery}#7")]
    assert trial.rows(connection, "select count(*) from raw.trial_read where number_state = 'ok'") == [39]
    assert "SQLSTATE 22012" in caplog.text and "Zebedee" not in caplog.text


def test_an_element_that_no_database_understands_leaves_every_record_unread_and_none_behind(connection: Any) -> None:
    broken = trial.house(elements=[Element("none", "true", "there is no such syntax", "false")])
    delivery = trial.deliver(connection, [{"ref": "R1"}, {"ref": "R2"}])
    trial.read(connection, broken, delivery)
    assert (
        trial.rows(connection, "select ref, ref_state, _sufficiency from raw.trial_read")
        == [(None, "unparsed", "M")] * 2
    )


def test_a_delivery_without_records_is_read(connection: Any, house: House) -> None:
    trial.read(connection, house, trial.deliver(connection, []))
    assert trial.rows(connection, "select count(*) from raw.trial_read") == [0]
