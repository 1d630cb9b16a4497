"""Labels that no mapping knows: never guessed, on a list until a person says what they mean. Mend: quality/reading/unmapped.py."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frontdoor import cli, clock, delivery, prepare
from frontdoor.contract import expectations_folder, load_house
from frontdoor.quality.reading.labels import label
from frontdoor.quality.reading.unmapped import knows
from frontdoor.settings import as_environment
from frontdoor.simulator.sample import sample_records
from tests.integration import quality_support as support

SENDER = ("wearside_police", "police")


@pytest.fixture(scope="module")
def place(database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running house whose declarations may be edited."""
    root = tmp_path_factory.mktemp("labels") / "expectations"
    shutil.copytree(expectations_folder(), root)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in as_environment(database.settings).items():
            patch.setenv(name, value)
        patch.setattr("frontdoor.contract.expectations_folder", lambda: root)
        patch.setattr(prepare, "expectations_folder", lambda: root)
        patch.setattr(prepare, "_PREPARED_FROM", (root, *prepare._PREPARED_FROM[1:]))
        patch.setattr(prepare, "_ROOT", Path("/"))
        prepare.prepare(database.settings)
        yield database


def land(place: Any, name: str, **cells: str) -> None:
    """Three good records but for these cells, landed and published."""
    content = sample_records(load_house(), *SENDER, 3, seed=len(name), on=clock.now().date()).decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(row | cells for row in rows)
    (place.settings.landing / SENDER[0] / SENDER[1] / name).write_text(text.getvalue(), encoding="utf-8")
    assert delivery.ingest(place.settings)["published"] == 1


def said(capsys: Any, *arguments: str) -> Any:
    capsys.readouterr()
    assert cli.main(["label", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def mapped(capsys: Any, code_list: str, text: str, *more: str) -> Any:
    whom = ("--agency", SENDER[0], "--feed", SENDER[1])
    return said(capsys, "map", *whom, "--list", code_list, "--label", text, *more)


def waiting(capsys: Any) -> dict[str, dict[str, Any]]:
    return {each["label"]: each for each in said(capsys, "list")["labels"]}


def test_a_label_waits_is_mapped_and_leaves_the_list(place: Any, capsys: Any) -> None:
    land(place, "first.csv", notice_type="Trouble at home")
    (row,) = waiting(capsys).values()
    assert (row["agency"], row["feed"], row["property"], row["code_list"]) == (*SENDER, "notice_type", "notice_type")
    assert (row["label"], row["records"], row["state"]) == ("Trouble at home", 3, "waiting")

    before = (expectations() / "police/agencies/wearside_police.yaml").read_text(encoding="utf-8").splitlines()
    mapped(capsys, "notice_type", "Trouble at home", "--to", "domestic")
    after = (expectations() / "police/agencies/wearside_police.yaml").read_text(encoding="utf-8").splitlines()
    assert len(before) == len(after)
    ((old, new),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert new == old.replace("exploitation}", "exploitation, Trouble at home: domestic}")
    assert waiting(capsys)["Trouble at home"]["state"] == "mapped, replay to read it"

    assert cli.main(["replay", "--agency", SENDER[0], "--feed", SENDER[1]]) == 0
    assert waiting(capsys) == {}
    read = support.rows(place.connect(), "select notice_type, notice_type_state from raw.police_read")
    assert set(read) == {("domestic", "ok")}


def test_map_with_replay_reads_the_carriers_again_at_once(place: Any, capsys: Any) -> None:
    land(place, "second-file.csv", notice_type="Row next door")
    assert mapped(capsys, "notice_type", "Row next door", "--to", "domestic", "--replay")["replayed"] == 1
    assert waiting(capsys) == {}


def test_an_ambiguous_label_stays_unmapped_and_waits_no_longer(place: Any, capsys: Any) -> None:
    land(place, "third-file-of.csv", notice_type="Incident")
    assert set(waiting(capsys)) == {"Incident"}
    mapped(capsys, "notice_type", "Incident", "--ambiguous")
    assert waiting(capsys) == {}
    land(place, "fourth-file-of-it.csv", notice_type="INCIDENT")
    listed = support.rows(place.connect(), "select label from worklists.unmapped_labels")
    assert listed == []
    states = support.rows(
        place.connect(), "select notice_type_state from raw.police_read order by _delivery_id desc limit 3"
    )
    assert states == ["unmapped"] * 3
    # Whoever finds out later what it means says so, and it is no longer ambiguous.
    mapped(capsys, "notice_type", "Incident", "--to", "child", "--replay")
    agreed = load_house().agency_feed(*SENDER, SENDER[1], clock.now().date())
    assert agreed is not None
    assert not agreed.ambiguous.get("notice_type")
    written = (expectations() / "police/agencies/wearside_police.yaml").read_text(encoding="utf-8")
    assert "ambiguous" not in written, "no empty list is left behind"
    assert agreed.codes["notice_type"]["Incident"] == "child"


def test_one_unknown_item_of_a_list_is_listed_alone_and_a_filler_is_none(place: Any, capsys: Any) -> None:
    land(place, "with-a-list-of-harms.csv", harm_type="DA;Shouting;n/k")
    (row,) = waiting(capsys).values()
    assert (row["property"], row["label"]) == ("harm_type", "Shouting")
    mapped(capsys, "harm_type", "Shouting", "--to", "emotional_abuse", "--replay")
    assert waiting(capsys) == {}


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["--list", "notice_type", "--label", "x", "--to", "nonsense"], "notice_type has no such code"),
        (["--list", "level", "--label", "x", "--to", "child"], "no code list of that name is used there"),
        (["--list", "notice_type", "--label", "ccn", "--to", "adult"], "is mapped to child already"),
        (["--list", "notice_type", "--label", "CCN", "--ambiguous"], "is mapped to child already"),
        (["--list", "notice_type", "--label", " ", "--to", "adult"], "wants the text of a label"),
        (["--list", "notice_type", "--label", "child", "--to", "domestic"], "is the code child of notice_type itself"),
        (["--list", "notice_type", "--label", "DOMESTIC ", "--ambiguous"], "is the code domestic of notice_type"),
    ],
)
def test_a_wrong_answer_is_refused_and_nothing_is_written(
    place: Any, capsys: Any, arguments: list[str], because: str
) -> None:
    path = expectations() / "police/agencies/wearside_police.yaml"
    before = path.read_bytes()
    assert cli.main(["label", "map", "--agency", SENDER[0], "--feed", SENDER[1], *arguments]) == 2
    assert because in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_list_warns_and_no_log_says_a_label(place: Any, capsys: Any, caplog: Any) -> None:
    land(place, "a-name-in-the-wrong-column.csv", notice_type="Zebedee Testwell")
    capsys.readouterr()
    assert cli.main(["label", "list"]) == 0
    shown = capsys.readouterr()
    assert "behind the login" in cli_help(capsys) and "never put them into a mail" in shown.err
    assert "Zebedee Testwell" in shown.out
    assert "Zebedee" not in caplog.text
    letters = [path.read_text(errors="replace") for path in place.settings.mail_dir.rglob("*") if path.is_file()]
    assert letters
    assert not [text for text in letters if "Zebedee" in text]
    pages = [path.read_bytes() for path in place.settings.home.rglob("receipts/**/*") if path.is_file()]
    assert not [content for content in pages if b"Zebedee" in content]


def cli_help(capsys: Any) -> str:
    with pytest.raises(SystemExit):
        cli.main(["label", "-h"])
    return str(capsys.readouterr().out)


def expectations() -> Path:
    import frontdoor.contract

    return frontdoor.contract.expectations_folder()


# Cyrillic letters that look like ours.
LOOKALIKES = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "i": "\u0456", "y": "\u0443", "n": "\u043f"}
KNOWN = ("Aye", "¡No!", "yes", "no", "not_known", "Yes", "No", "Not known")


def disguised(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        [
            text.upper(),
            text.swapcase(),
            f"  {text}\t",
            text.replace("o", "o\u200b"),
            f"({text})",
            f"{text}s",
            text[:-1],
            f"{text} {text}",
            "".join(LOOKALIKES.get(char, char) for char in text),
            text[::-1],
        ]
    )


TEXTS = st.one_of(
    st.sampled_from(KNOWN).flatmap(disguised),
    st.sampled_from(KNOWN),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00;"), min_size=1, max_size=30),
)


@pytest.fixture(scope="module")
def small(place: Any) -> Iterator[tuple[Any, Any]]:
    house = support.house()
    connection = place.connect()
    support.prepare(connection, house)
    yield connection, house
    connection.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
def test_what_the_mapping_knows_is_right_and_the_rest_is_unmapped_and_listed(
    small: tuple[Any, Any], texts: list[str]
) -> None:
    connection, house = small
    delivered = support.deliver(connection, [{"ref": str(n), "answer": text} for n, text in enumerate(texts)])
    support.read(connection, house, delivered)
    said = support.rows(
        connection,
        "select sent.answer, read.answer, read.answer_state from raw.trial as sent"
        " inner join raw.trial_read as read using (_delivery_id, _record_no)"
        f" where _delivery_id = {delivered} order by _record_no",
    )
    listed = dict(
        support.rows(
            connection, f"select label, records_count from raw.unmapped_labels where delivery_id = {delivered}"
        )
    )
    unmapped: dict[str, int] = {}
    agreed = {"Aye": "yes", "¡No!": "no", "Yes": "yes", "No": "no", "Not known": "not_known", "not_known": "not_known"}
    meant = {label(text): code for text, code in {**agreed, "true": "yes", "false": "no"}.items()}
    for text, code, state in said:
        assert (state == "ok") == (code is not None)
        if state == "ok":
            assert meant[label(text)] == code
        elif state == "unmapped":
            trimmed = support.rows(connection, "select reading.trimmed(%s)", (text,))[0]
            unmapped[trimmed] = unmapped.get(trimmed, 0) + 1
            assert label(text) not in meant
            assert not knows(
                house, house.feeds["trial"], support.AGENCY, "trial", "yes_no", text, support.RECEIVED.date()
            )
    assert listed == unmapped


def test_nothing_that_only_looks_like_a_label_is_taken_for_it(small: tuple[Any, Any]) -> None:
    connection, house = small
    texts = [
        "Ayes",
        "Ay",
        "Aye Aye",
        "ye s",
        "yes no",
        "1",
        "Aye?Nay",
        *("".join(LOOKALIKES.get(c, c) for c in t) for t in KNOWN),
    ]
    delivered = support.deliver(connection, [{"ref": str(n), "answer": text} for n, text in enumerate(texts)])
    support.read(connection, house, delivered)
    states = support.rows(connection, f"select answer_state from raw.trial_read where _delivery_id = {delivered}")
    assert states == ["unmapped"] * len(texts)
    count = support.rows(
        connection, f"select sum(records_count) from raw.unmapped_labels where delivery_id = {delivered}"
    )
    assert count == [len(texts)]
