"""Any record written as JSON is read back as it was sent, and nothing is lost or rounded. Mend: readers/json_records.py, forms.py."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from frontdoor.contract import Property
from frontdoor.intake.content import Content
from frontdoor.intake.readers import forms, headers, json_records
from frontdoor.intake.readers.json_records import DEEPEST, JsonReader
from frontdoor.intake.readers.rows import Lineage
from frontdoor.intake.reasons import Unreadable

NAMES = ("notification_ref", "child_ref", "forename", "narrative", "grade", "harm_type", "extract_as_of")
PROPERTIES = tuple(
    Property(
        name,
        "string",
        name == "harm_type",
        "required" if name == "child_ref" else "optional",
        "internal",
        None,
        name == "extract_as_of",
        name,
    )
    for name in NAMES
)
WORDS = headers.vocabulary(PROPERTIES, {"patient.given": "forename"})
# Longer than any cell of these tests.
csv.field_size_limit(2**24)
LINEAGE = Lineage("wearside_health", 7, datetime(2026, 3, 2, tzinfo=UTC))


def read(content: bytes | str, agreed: str = "jsonl") -> tuple[list[dict[str, Any]], JsonReader]:
    """Read bytes as COPY would: what each record says, blank cells left out, and the reader."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        form = forms.form_of(Content(Path(file.name)), agreed)
        assert form.name in ("json", "jsonl")
        is_lines = form.name == "jsonl"
        reader = JsonReader(Content(Path(file.name)), WORDS, LINEAGE, PROPERTIES, separator=";", is_lines=is_lines)
        rows = list(reader.rows())
    records = []
    for row in rows:
        (cells,) = csv.reader(io.StringIO(row.line.decode(), newline=""), strict=True)
        assert cells[:4] == ["wearside_health", "7", str(row.record_no), "2026-03-02T00:00:00+00:00"]
        said = {name: cell for name, cell in zip(reader.columns, cells[4:-1], strict=True) if cell}
        records.append({"_no": row.record_no, **said, "_extra": json.loads(cells[-1])})
    return records, reader


def found(reader: JsonReader) -> tuple[list[tuple[int, str]], list[tuple[int | None, str]]]:
    return (
        sorted(reader.tally.faults()),
        [(letter.line_no, letter.reason_code) for letter in reader.tally.letters()],
    )


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=15)
VALUES = st.recursive(
    st.one_of(TEXTS, st.booleans(), st.integers()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES[:5]), TEXTS, min_size=1), min_size=1, max_size=6)


@given(
    records=RECORDS,
    shape=st.sampled_from(["lines", "crlf", "list", "pretty", "envelope", "one after the other"]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    is_ascii=st.booleans(),
)
@bounded(max_examples=200, deadline=None)
def test_records_written_as_json_are_read_back_equal(
    records: list[dict[str, str]], shape: str, codec: str, is_ascii: bool
) -> None:
    lines = [json.dumps(each, ensure_ascii=is_ascii) for each in records]
    text = {
        "lines": "\n".join(lines),
        "crlf": "".join(f"{line}\r\n\r\n" for line in lines),
        "list": f"[{','.join(lines)}]",
        "pretty": json.dumps(records, indent=2, ensure_ascii=is_ascii),
        "envelope": json.dumps({"sent by": "x", "records": records}, ensure_ascii=is_ascii),
        "one after the other": "\n".join(json.dumps(each, indent=1, ensure_ascii=is_ascii) for each in records),
    }[shape]
    got, reader = read(text.encode(codec))
    assert [{name: each[name] for name in each if name[0] != "_"} for each in got] == records
    assert not reader.tally.dead
    # In one line of text that holds U+2028 nothing is cut: only CR and LF end lines.
    assert not {rule for _, rule in found(reader)[0]} - {"FIL-003", "FIL-004"}


@given(value=VALUES)
@bounded(max_examples=150, deadline=None)
def test_value_of_any_shape_under_an_unknown_name_is_kept_whole(value: Any) -> None:
    (record,), reader = read(json.dumps({"child_ref": "1", "thing": [value, 1]}) + "\n{}")[0][:1], None

    def as_kept(each: Any) -> Any:
        if isinstance(each, dict):
            return {name: as_kept(inner) for name, inner in each.items()}
        if isinstance(each, list):
            return [as_kept(inner) for inner in each]
        return each if isinstance(each, bool) else str(each)

    assert record["_extra"]["thing"] == as_kept([value, 1])
    assert reader is None


def test_numbers_stay_as_they_were_written() -> None:
    (record,), _ = read(
        '{"child_ref": 1.10, "forename": 12345678901234567890123, "grade": 1E5, "narrative": -0, "x": 0.1}'
    )
    assert (record["child_ref"], record["forename"], record["grade"], record["narrative"]) == (
        "1.10", "12345678901234567890123", "1E5", "-0",
    )  # fmt: skip
    assert record["_extra"] == {"x": "0.1"}


def test_number_of_a_million_digits_is_text_and_costs_little() -> None:
    began = time.process_time()
    records, _ = read('{"child_ref": ' + "7" * 10**6 + "}\n" + '{"child_ref": 2}\n')
    assert [len(each["child_ref"]) for each in records] == [10**6, 1]
    assert time.process_time() - began < 1


def test_name_that_comes_twice_is_read_once_and_kept_twice() -> None:
    (record,), reader = read('{"child_ref":"a","Child Ref":"b","child_ref":"c","x":1,"x":2,"y":[{"z":1,"z":2}]}')
    assert record["child_ref"] == "a"
    assert record["_extra"] == {
        "child_ref#2": "b", "child_ref#3": "c", "x": "1", "x#2": "2", "y": [{"z": "1", "z#2": "2"}],
    }  # fmt: skip
    assert found(reader)[0] == [(0, "FIL-004"), (0, "FIL-005")]


def test_lists_and_objects_become_words_and_nothing_is_lost() -> None:
    content = [
        {"child_ref": 1, "harm_type": ["neglect", "missing"]},
        {"child_ref": 2, "harm_type": ["a;b", "c"]},
        {"child_ref": 3, "harm_type": [{"what": "neglect", "since": 2020}, None]},
        {"child_ref": 4, "narrative": {"what": "said", "who": ["Mum", True]}},
        {"child_ref": 5, "narrative": ["only"], "grade": None},
        {"child_ref": 6, "patient": {"given": "Ann", "known as": {"short": "A"}, "tags": []}},
    ]
    records, reader = read("\n".join(map(json.dumps, content)))
    assert records == [
        {"_no": 1, "child_ref": "1", "harm_type": "neglect;missing", "_extra": {}},
        {"_no": 2, "child_ref": "2", "harm_type": "a;b;c", "_extra": {"harm_type": ["a;b", "c"]}},
        {
            "_no": 3, "child_ref": "3", "harm_type": "what: neglect, since: 2020",
            "_extra": {"harm_type": [{"what": "neglect", "since": "2020"}, None]},
        },
        {
            "_no": 4, "child_ref": "4", "narrative": "what: said, who: Mum, true",
            "_extra": {"narrative": {"what": "said", "who": ["Mum", True]}},
        },
        {"_no": 5, "child_ref": "5", "narrative": "only", "_extra": {}},
        {"_no": 6, "child_ref": "6", "forename": "Ann", "_extra": {"patient.known as.short": "A", "patient.tags": []}},
    ]  # fmt: skip
    assert found(reader)[0] == [(0, "FIL-004")]


def test_broken_line_is_a_dead_letter_of_that_line_and_reading_goes_on() -> None:
    lines = [
        '{"child_ref":1}',
        "",
        '{"child_ref":',
        "[1]",
        '"x"',
        '{"child_ref":2} {"child_ref":3}',
        '{"child_ref":4},',
    ]
    records, reader = read("\r\n".join(lines))
    assert [(each["_no"], each["child_ref"]) for each in records] == [(1, "1"), (7, "4")]
    assert found(reader)[1] == [(3, "json_broken"), (4, "json_no_record"), (5, "json_no_record"), (6, "json_broken")]


@given(cut=st.integers(1, 10**6), shape=st.sampled_from(["lines", "list", "envelope"]))
@bounded(max_examples=150, deadline=None)
def test_json_cut_anywhere_gives_whole_records_and_names_the_rest(cut: int, shape: str) -> None:
    records = [{"child_ref": f"C{n}", "narrative": 'said "no"\n, {[', "n": n} for n in range(5)]
    lines = [json.dumps(each) for each in records]
    text = {"lines": "\n".join(lines), "list": json.dumps(records), "envelope": json.dumps({"all": records})}[shape]
    part = text[: cut % len(text)]
    if not part.startswith(("{", "[")) or part == "[":
        return
    try:
        got, reader = read(part)
    except Unreadable as refusal:
        assert refusal.code == "json_malformed"
        return
    assert [each["child_ref"] for each in got] == [f"C{n}" for n in range(len(got))]
    assert all(each["narrative"] == records[0]["narrative"] for each in got)
    is_between_lines = shape == "lines" and (part.endswith("\n") or part.split("\n")[-1] in lines)
    assert is_between_lines or reader.tally.dead == 1


def test_nesting_without_end_is_refused_at_its_depth() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    just = "[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1)
    began = time.process_time()
    for shape in ("{}\n{}\n", "[{},{}]"):
        records, reader = read(shape.format('{"child_ref":1,"x":' + just + "}", '{"child_ref":2,"x":[' + just + "]}"))
        assert [each["child_ref"] for each in records] == ["1"]
        assert [reason for _, reason in found(reader)[1]] == ["json_too_deep"]
    records, _ = read('[{"child_ref":1},{"x":' + deep + '},{"child_ref":2}]')
    assert [each["child_ref"] for each in records] == ["1", "2"]
    for content in ("[" * 10**7, '{"a":' * 10**6, '{"child_ref":' * 10**5 + "\n" + '{"a":[' * 10**5, '[{"a":' * 10**6):
        with pytest.raises(Unreadable) as refused:
            read(content)
        assert refused.value.code in ("json_too_deep", "json_malformed")
    assert time.process_time() - began < 5


def test_what_postgres_cannot_keep_is_replaced_and_told() -> None:
    lines = [
        r'{"child_ref":"a\u0000b","x":"\u0000"}',
        r'{"child_ref":"\ud800","\udfff":1}',
        r'{"child_ref":"\ud83d\udc67","x":"\\u0000"}',
        '{"child_ref":NaN,"forename":-Infinity,"x":Infinity}',
    ]
    records, reader = read("\n".join(lines))
    assert [each["child_ref"] for each in records] == ["a\ufffdb", "\ufffd", "👧", "NaN"]
    assert [each["_extra"] for each in records] == [
        {"x": "\ufffd"},
        {"\ufffd": "1"},
        {"x": "\\u0000"},
        {"x": "Infinity"},
    ]
    assert [each for each in found(reader)[0] if each[0]] == [(1, "FIL-009"), (2, "FIL-009")]


def test_what_stands_around_a_list_of_records_holds_for_each() -> None:
    content = {
        "extract_as_of": "2026-03-01",
        "by": "x",
        "records": [{"child_ref": 1}, {"child_ref": 2, "extract_as_of": "-"}],
    }
    records, _ = read(json.dumps(content | {"count": 2}))
    assert records == [
        {"_no": 1, "child_ref": "1", "extract_as_of": "2026-03-01", "_extra": {"../by": "x"}},
        {
            "_no": 2, "child_ref": "2", "extract_as_of": "-",
            "_extra": {"../by": "x", "../extract_as_of": "2026-03-01", "../count": "2"},
        },
    ]  # fmt: skip
    for empty in ("[]", "{}\n[]", '{"records": []}', '{"extract_as_of": "2026-03-01", "records": []}'):
        records, _reader = read(empty)
        assert [each for each in records if set(each) - {"_no", "_extra"}] == []
    assert found(read("[]")[1])[0] == [(0, "FIL-001")]


def test_list_of_objects_within_a_record_does_not_make_it_an_envelope() -> None:
    (record,), _ = read('{"siblings": [{"name": "x"}, {"name": "y"}], "child_ref": 1, "forename": "Ann"}')
    assert (record["child_ref"], record["_extra"]) == ("1", {"siblings": [{"name": "x"}, {"name": "y"}]})


def test_property_that_no_record_has_is_told_once_and_so_are_names_nobody_knows() -> None:
    assert found(read('{"forename":"Ann"}\n{"forename":"Bob"}\n')[1])[0] == [(0, "FIL-003")]
    assert found(read('{"forename":"Ann"}\n{"child_ref":"1"}\n')[1])[0] == []
    assert found(read('{"a":"Ann"}\n{"b":"1"}\n')[1])[0] == [(0, "FIL-002")]


@pytest.mark.parametrize(
    ("content", "agreed", "expected"),
    [
        ('{"a":1}\n{"a":2}\n', "csv", ("jsonl", False)),
        ('{"a":1}\n', "jsonl", ("json", True)),
        ('\ufeff\n [ {"a":1}]', "jsonl", ("json", False)),
        ('{"r":[\n{"a":1},\n{"a":2}\n]}', "json", ("json", True)),
        ('{"a":"br\n{"a":2}\n{"a":3}\n', "jsonl", ("jsonl", True)),
        ('oops\n{"a":2}\n{"a":3}\n', "jsonl", ("jsonl", True)),
        ("a,b\n1,2\n", "jsonl", ("csv", False)),
        ("[Form],b\n1,2\n", "csv", ("csv", True)),
        ("{ref},b\n1,2\n", "csv", ("csv", True)),
        ("<?xml version='1.0'?><a/>", "csv", ("xml", False)),
    ],
)
def test_form_is_told_by_the_bytes(content: str, agreed: str, expected: tuple[str, bool]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content.encode())
        file.flush()
        assert forms.form_of(Content(Path(file.name)), agreed) == expected


NAMED = (
    '"forename"',
    '"narrative"',
    '"grade"',
    '"odd name"',
    '"a:b"',
    '"\\u0061"',
    '"Ann"',
    '" "',
    '""',
    '"é:"',
    '":"',
)
OTHER = ("1", "1.10", "null", "true", "NaN", "{}", "[]", '{"a": "b"}', '["a", "b"]', '"a\tb"', '"\ud800"', '"\x00"')
PIECES = st.sampled_from((*NAMED, *OTHER))
BETWEEN = st.sampled_from(["", "", " ", "\t"])
LINES = st.lists(st.tuples(BETWEEN, PIECES, BETWEEN, PIECES, BETWEEN), max_size=5).map(
    lambda parts: "{" + ",".join(f"{a}{name}{b}:{b}{value}{c}" for a, name, b, value, c in parts) + "}"
)


@given(st.lists(LINES, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n", ",\n"]))
@bounded(max_examples=500, deadline=None)
def test_line_that_is_read_quickly_is_read_as_any_other(lines: list[str], end: str) -> None:
    content = ('{"forename": "Bea"}\n' + end.join(lines)).encode("utf-8", "surrogatepass")
    quick, reader = read(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_flat_record", lambda line: None)
        slow, other = read(content)
    assert (quick, found(reader), reader.reading) == (slow, found(other), other.reading)
