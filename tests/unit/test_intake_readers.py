"""Text in, the same text out, whatever it is; and nothing merged in silence. Mend: frontdoor/intake/readers/."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from frontdoor.contract import Layout
from frontdoor.intake.content import Content
from frontdoor.intake.contents import probe
from frontdoor.intake.ledger import DeadLetter
from frontdoor.intake.readers import abridged, abridged_records, dialect, encoding, headers, xml_layout
from frontdoor.intake.readers.delimited import DelimitedReader
from frontdoor.intake.readers.grammar import Grammar
from frontdoor.intake.readers.lines import LONGEST_LINE, Lines
from frontdoor.intake.readers.rows import Lineage, line_of
from frontdoor.intake.readers.xml_layout import XmlReader
from frontdoor.intake.reasons import Unreadable

NAMES = ("notification_ref", "child_ref", "forename", "dob", "narrative", "grade", "known_at", "seen", "voice")
LINEAGE = Lineage("wearside_police", 7, datetime(2026, 3, 2, tzinfo=UTC))
WORDS = headers.Vocabulary({name.replace("_", " "): name for name in NAMES}, ())


def read(content: bytes, words: headers.Vocabulary = WORDS) -> tuple[list[dict[str, Any]], DelimitedReader]:
    """Read bytes as the file of a feed, and its rows as COPY would."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        reader = DelimitedReader(Content(Path(file.name)), words, LINEAGE)
        rows = list(reader.rows())
    records = []
    for row in rows:
        text = row.line.decode()
        (cells,) = csv.reader(
            io.StringIO(text, newline=""), delimiter=reader.delimiter, quotechar=reader.quote, strict=True
        )
        assert cells[:4] == ["wearside_police", "7", str(row.record_no), "2026-03-02T00:00:00+00:00"]
        values = dict(zip(reader.columns, cells[4:-1], strict=True))
        records.append({"_no": row.record_no, "_line": row.line_no, **values, "_extra": json.loads(cells[-1])})
    return records, reader


# A lone carriage return is a line end to Python's csv module and text to us; surrogates are no characters.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=12)
HOSTILE = st.text(st.sampled_from(list("ab ,;\t|^~\"'\n\\.é👧\ufeff\u2028")), max_size=12)
CELL = st.one_of(TEXT, HOSTILE, st.sampled_from(["", " ", '"', '""', "\n", "\\.", "\\N", "'", "x\r\ny"]))


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(2, len(NAMES)))
    return draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=6))


@given(
    table=tables(),
    delimiter=st.sampled_from(dialect.DELIMITERS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    newline=st.sampled_from(["\n", "\r\n"]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)
@example(table=[["a", "\\."], ["\\.", "b"]], delimiter=",", quoting=csv.QUOTE_MINIMAL, newline="\n", codec="utf-8")
@bounded(max_examples=150, deadline=None)
def test_table_written_by_csv_is_read_back_equal(
    table: list[list[str]], delimiter: str, quoting: int, newline: str, codec: str
) -> None:
    width = len(table[0]) if table else 3
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=newline)  # type: ignore[arg-type]
    writer.writerow(NAMES[:width])
    writer.writerows(table)
    text = out.getvalue()
    inner = [line.rstrip("\r") for line in text.split("\n")[1:]]
    if any("\n" in cell for row in table for cell in row):
        # A line inside a cell that has as many delimiters as a record is told as a mark that was never closed.
        assume(not any(line.count(delimiter) + 1 == width for line in inner if line))
    # Python's csv writes a cell of spaces bare; a line of nothing but spaces is blank to us.
    assume(not any("".join(row).strip(" \x1a") == "" and delimiter.join(row).strip(" \x1a") == "" for row in table))
    records, reader = read(text.encode(codec))
    assert reader.tally.dead == 0
    assert [[record[name] for name in NAMES[:width]] for record in records] == table
    assert [record["_no"] for record in records] == list(range(1, len(table) + 1))
    assert all(record["_extra"] == {} for record in records)


@given(content=st.binary(max_size=300))
@bounded(max_examples=100, deadline=None)
def test_any_bytes_after_a_header_are_rows_or_dead_letters_and_never_an_error(content: bytes) -> None:
    records, reader = read(b"notification_ref,child_ref,forename\n" + content)
    assert len(records) == reader.tally.loaded
    numbers = [record["_no"] for record in records]
    assert numbers == sorted(set(numbers))
    assert len(list(reader.tally.letters())) == reader.tally.dead


@given(rows=st.lists(st.lists(st.text("abc \"'", max_size=5), min_size=3, max_size=3), max_size=12))
@bounded(max_examples=100, deadline=None)
def test_stray_marks_never_swallow_a_line(rows: list[list[str]]) -> None:
    lines = [",".join(row) for row in rows]
    records, reader = read(("notification_ref,child_ref,forename\n" + "".join(f"{line}\n" for line in lines)).encode())
    assert len(records) + reader.tally.dead == len(lines)


def test_line_numbers_are_those_of_the_file_over_blank_lines_and_cells_of_several_lines() -> None:
    text = 'sep=;\nnotification_ref;child_ref;narrative\nN1;C1;"one\ntwo\nthree"\n\nN2;C2;"x\nN3;C3;z\n\x1a\n'
    records, reader = read(text.encode())
    assert [(r["_no"], r["_line"], r["notification_ref"]) for r in records] == [(1, 3, "N1"), (4, 8, "N3")]
    assert [letter.line_no for letter in reader.tally.letters()] == [7]


def test_narrative_with_as_many_commas_as_columns_is_kept_in_a_narrow_file() -> None:
    text = 'notification_ref,child_ref,narrative,grade\nN1,C1,"Seen\nmother, father, aunt, uncle\nat home",red\n'
    records, _ = read(text.encode())
    assert [r["narrative"] for r in records] == ["Seen\nmother, father, aunt, uncle\nat home"]


def test_marks_that_are_no_quotes_are_kept_as_text() -> None:
    text = 'notification_ref,child_ref,forename\nN1,5" long,"Al" Capone\nN2, "a, b" ,c\n'
    records, reader = read(text.encode())
    assert [(r["child_ref"], r["forename"]) for r in records] == [('5" long', '"Al" Capone'), ("a, b", "c")]
    assert reader.tally.dead == 0


@pytest.mark.parametrize("content", [b"notification_ref\rN1\rN2\r", b"notification_ref\r\nN1\nN2"])
def test_line_ends_of_every_system_are_read(content: bytes) -> None:
    records, _ = read(content)
    assert [r["notification_ref"] for r in records] == ["N1", "N2"]


@pytest.mark.parametrize(
    ("sample", "delimiter", "quote"),
    [
        ("notification_ref;child_ref;forename\n1,2;3,4;5", ";", '"'),
        ("'notification_ref'|'child_ref'\n'a|b'|'c'", "|", "'"),
        ("\ufeffalpha\tbeta\n1\t2\n3\t4", "\t", '"'),
        ("alpha,beta gamma\n1,2\n", ",", '"'),
        ("notification_ref\nN1\n", ",", '"'),
        ('"notification_ref","the child, ref"\n', ",", '"'),
        ("notification_ref^child_ref^voice\nN1^a,b,c,d^e", "^", '"'),
    ],
)
def test_dialect_is_told_by_known_headers_before_shape(sample: str, delimiter: str, quote: str) -> None:
    found = dialect.of_sample(sample, lambda header: WORDS.property_of(header) is not None)
    assert (found.delimiter, found.quote) == (delimiter, quote)


@pytest.mark.parametrize(
    "header", ["Child_Ref", "CHILD REF", " child-ref: ", "\u00a0child\u00a0ref\u00a0", "\ufeffchild_ref"]
)
def test_headers_are_compared_without_case_spaces_and_marks(header: str) -> None:
    assert WORDS.columns([header]).properties == ("child_ref",)


def test_first_of_two_columns_wins_and_the_other_is_kept_apart() -> None:
    columns = WORDS.columns(["child_ref", "Child Ref", "odd", "odd", ""])
    assert columns.properties == ("child_ref", None, None, None, None)
    assert columns.labels == ("child_ref", "child_ref#2", "odd", "odd#2", "column_5")
    assert columns.faults == (headers.TWICE, headers.UNKNOWN)


@pytest.mark.parametrize(
    ("content", "codec", "is_damaged"),
    [
        (b"plain", "utf-8", False),
        ("Zoë".encode(), "utf-8", False),
        ("Zoë".encode("cp1252"), "cp1252", True),
        ("Zoë Zoë Zoë".encode() + b"\xeb", "utf-8", True),
        (b"nul\0here", "utf-8", True),
        (codecs.BOM_UTF8 + b"Zo\xeb", "utf-8", True),
        ("Zoë,\n".encode("utf-16-le") * 9, "utf-16-le", False),
        ("Zoë".encode("utf-16"), "utf-16-le", False),
        ("Zoë".encode("utf-32"), "utf-32-le", False),
        (b"x" * (2**20 - 1) + "ë".encode(), "utf-8", False),
    ],
)
def test_encoding_is_told_from_the_bytes(tmp_path: Path, content: bytes, codec: str, is_damaged: bool) -> None:
    (tmp_path / "f").write_bytes(content)
    found = encoding.of_content(Content(tmp_path / "f"))
    assert (found.codec, found.is_damaged) == (codec, is_damaged)


def test_control_characters_here_and_there_do_not_make_a_file_binary(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"notification_ref,child_ref\nN1,C\x001\x07\n" * 3)
    assert probe.refusal(Content(tmp_path / "f"), None) is None


def test_lines_are_cut_where_blocks_end_and_an_endless_one_is_not_kept() -> None:
    blocks = [b"a", b"b\nc", b"\n\n", b"x" * (LONGEST_LINE // 2), b"x" * LONGEST_LINE, b"x\nlast"]
    lines = Lines(iter(blocks))
    while lines.refill():
        pass
    assert lines.waiting == [b"ab", b"c", b"", None, b"last"]


def test_clean_line_has_full_width_and_no_mark_inside_a_bare_cell() -> None:
    grammar = Grammar(",", '"', 3)
    assert all(grammar.is_clean(line) for line in (b"a,b,c", b",,", b'"a,""b","c\nd",e', b'"","",""'))
    assert not any(
        grammar.is_clean(line) for line in (b"a,b", b'a,b"c,d', b'a, "b",c', b'"a"b,c,d', b'"a,b,c', b"a,b\r,c")
    )


@pytest.mark.parametrize("width", [1, 2, 3])
def test_counting_tells_every_short_line_exactly_as_the_pattern_does(width: int) -> None:
    grammar = Grammar(",", '"', width)
    for length in range(1, 8):
        for letters in itertools.product('a,"', repeat=length):
            line = "".join(letters).encode()
            assert grammar.is_clean(line) == (grammar._clean.fullmatch(line) is not None), line


XML = "<Message><Children><Child><Name>{}</Name></Child></Children></Message>"
NO_ENCODINGS = ("big5", "utf-7", "shift_jis", "foo", "rot13", "base64", "idna", "punycode", "unicode_escape", "cp037")


def xml_reader(path: Path, mapping: dict[str, Any]) -> XmlReader:
    layout = Layout("census", "Census", ("police",), "xml", {"police": mapping}, "Europe/London")
    return XmlReader(Content(path), layout, "police", LINEAGE)


def read_xml(path: Path, content: bytes) -> tuple[list[list[str]], XmlReader]:
    path.write_bytes(content)
    reader = xml_reader(path, {"record": "Message/Children/Child", "fields": {"name": "Name"}})
    rows = [next(csv.reader([row.line.decode()])) for row in reader.rows()]
    return rows, reader


@pytest.mark.parametrize("declared", NO_ENCODINGS)
def test_declared_encoding_that_the_parser_does_not_know_is_probed_and_read(tmp_path: Path, declared: str) -> None:
    content = f"<?xml version='1.0' encoding='{declared}'?>{XML.format('Ann')}".encode()
    (rows, _) = read_xml(tmp_path / "f", content)
    assert [row[4] for row in rows] == ["Ann"]
    assert probe.refusal(Content(tmp_path / "f"), "xml") is None
    (tmp_path / "f").write_bytes(content.replace(b"<Message>", b"<!DOCTYPE Message [<!ENTITY x 'y'>]><Message>", 1))
    assert probe.refusal(Content(tmp_path / "f"), "xml") == "xml_dtd"


@pytest.mark.parametrize("before", [b"<!-- \xeb -->", b"<!-- \x07 -->", b"<!-- \x00 -->", b"<?x \xff\x01?>"])
def test_document_type_behind_damage_is_seen(tmp_path: Path, before: bytes) -> None:
    content = before + b"<!DOCTYPE Message [<!ENTITY x 'y'>]>" + XML.format("&x;").encode()
    (tmp_path / "f").write_bytes(content)
    assert probe.refusal(Content(tmp_path / "f"), "xml") == "xml_dtd"


def test_reader_itself_opens_no_document_type(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        read_xml(tmp_path / "f", b"<!DOCTYPE Message [<!ENTITY x 'y'>]>" + XML.format("Ann").encode())
    assert refused.value.code == "xml_dtd"


@pytest.mark.parametrize(
    ("first", "is_header"),
    [
        ("foo,bar", True),
        ("Date of birth,Line 1,Line 2", True),
        ("Ann,POL-00417,red", False),
        ("Ann,born 2 Jan 2015,red", False),
        ("red,red,Ann", False),
        ("Ann,,", False),
        (f"Ann,{'Seen at home with her mother. ' * 3},red", False),
    ],
)
def test_first_line_that_may_be_a_record_is_kept_as_one(first: str, is_header: bool) -> None:
    records, _ = read(f"{first}\nBob,POL-00418,green\n".encode())
    assert len(records) == (1 if is_header else 2)
    if not is_header:
        assert records[0]["_no"] == records[0]["_line"] == 1
        assert [*records[0]["_extra"].values()] == [cell for cell in first.split(",") if cell]


def nested(levels: int, text: str) -> str:
    return "".join(f"<a{n}>" for n in range(levels)) + text + "".join(f"</a{n}>" for n in reversed(range(levels)))


def test_record_nested_without_end_is_read_with_its_text_in_extra(tmp_path: Path) -> None:
    deep = nested(1_200, "<x k='1'>one</x><x k='2'>two</x>")
    content = (
        f"<Message><Children><Child><Name>Ann</Name>{deep}</Child><Child><Name>Bob</Name></Child></Children></Message>"
    )
    rows, reader = read_xml(tmp_path / "f", content.encode())
    assert [row[4] for row in rows] == ["Ann", "Bob"]
    (path, attribute), (text, values) = zip(*json.loads(rows[0][5]).items(), strict=True)
    assert (text, values, attribute) == ("one two", ["1", "2"], f"{path}/@k")
    assert path.startswith("a0/a1/a2/") and reader.tally.dead == 0


def test_repeats_in_extra_are_listed_and_none_is_lost(tmp_path: Path) -> None:
    content = XML.replace("{}", "Ann").replace("</Child>", "<a k='1'>1</a><a k='1'>1</a><a/><a k=''>2</a></Child>")
    rows, _ = read_xml(tmp_path / "f", content.encode())
    assert json.loads(rows[0][5]) == {"a": ["1", "1", "2"], "a/@k": ["1", "1", ""]}


def test_text_beside_elements_and_attributes_of_the_record_are_kept(tmp_path: Path) -> None:
    content = (
        "<Message><Children><Child id='7' xmlns:x='u' x:state='open'>Hurt on <Name>Ann</Name>Monday"
        "<a k='1'>seen <b>at home</b> twice</a></Child></Children></Message>"
    )
    rows, _ = read_xml(tmp_path / "f", content.encode())
    assert rows[0][4] == "Ann"
    assert json.loads(rows[0][5]) == {
        "@id": "7",
        "@state": "open",
        "text()": "Hurt on Monday",
        "a/@k": "1",
        "a/text()": "seen twice",
        "a/b": "at home",
    }


LEAVES = st.builds(
    lambda name, attribute, text, tail: f"<{name}{attribute}>{text}</{name}>{tail}",
    st.sampled_from(["Name", "Grade", "Note", "u:Name", "a"]),
    st.sampled_from(["", "", "", " k='1'"]),
    st.sampled_from(
        ["", " ", " Ann ", "two\nlines", "\u00a0", "&amp;", "<b>at home</b>", "seen <b/> twice", "<!-- x -->y"]
    ),
    st.sampled_from(["", "\n ", "\u00a0", "between"]),
)


@given(st.lists(LEAVES, max_size=5), st.sampled_from(["", " id='7'"]))
@bounded(max_examples=300, deadline=None)
def test_flat_record_is_read_as_a_nested_one_is(leaves: list[str], attribute: str) -> None:
    content = f"<Message xmlns:u='u'><Child{attribute}>{''.join(leaves)}</Child></Message>".encode()
    fields = {"name": "Name", "again": "Name", "grade": "./Grade", "here": ".", "home": "Note/b", "absent": "None"}

    def lines() -> list[bytes]:
        return [row.line for row in xml_reader(Path(file.name), mapping).rows()]

    mapping = {"record": "Message/Child", "fields": fields}
    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(content)
        file.flush()
        quick = lines()
        patch.setattr(xml_layout, "_texts_of", lambda record: None)
        assert quick == lines()


PIECES = st.lists(
    st.one_of(
        st.lists(LEAVES, max_size=4).map(lambda leaves: f"<Child>{''.join(leaves)}</Child>"),
        st.lists(
            st.tuples(
                st.sampled_from(["Name", "Grade", "Name", "Other", "Zeta"]),
                st.sampled_from(
                    [
                        "",
                        "Ann",
                        " A\r\nB ",
                        "&amp;lt;",
                        "&#65;",
                        "&#0;",
                        "]]>",
                        "\ufffe",
                        "\ufffd",
                        '"',
                        "\u2003x",
                        "Zo\u00eb",
                    ]
                ),
                st.sampled_from(["", "\r\n  ", "\t"]),
            ),
            max_size=4,
            unique_by=lambda leaf: leaf[0],
        ).map(lambda leaves: f"<Child>{''.join(f'<{n}>{text}</{n}>{gap}' for n, text, gap in leaves)}</Child>\n"),
        st.sampled_from(
            [
                "\r\n",
                "\n",
                " ",
                "between",
                "<!-- ",
                " -->",
                "<![CDATA[",
                "]]>",
                "<?x ",
                "?>",
                "<",
                "&",
                "<Child/>",
                "<Child>",
                "</Child>",
                "<Child >",
                "</Child >",
                "<a>",
                "</a>",
                "<Child x='1'/>",
                "</Message>",
                "<Child><Name/></Child>",
            ]
        ),
    ),
    max_size=12,
)


@given(
    PIECES,
    st.sampled_from([7, 40, 10_000]),
    st.sampled_from([20, 2**20]),
    st.sampled_from(["", "<?xml version='1.0'?>"]),
)
@example(["<!-- ", "<Child><Name>Ann</Name></Child>\n", " -->"], 10_000, 2**20, "")
@example(["<Child><Name>Ann</Name></Child>\n", "<Child>", "<Child><Name>Bob</Name></Child>", "</Child>"], 40, 2**20, "")
@example(
    ["<Child><Zeta>1</Zeta><Name>Ann</Name></Child>", "<Child><Zeta>1</Zeta><Name>B</Name></Child>"], 40, 2**20, ""
)
@bounded(max_examples=500, deadline=None)
def test_records_taken_out_before_the_parser_are_read_as_it_reads_them(
    pieces: list[str], block_bytes: int, longest: int, declaration: str
) -> None:
    mapping = {"record": "Message/Child", "fields": {"grade": "Grade", "name": "Name", "absent": "None"}}

    def seen() -> object:
        reader = xml_reader(Path(file.name), mapping)
        try:
            rows = list(reader.rows())
        except Unreadable as refused:
            return refused.code
        finally:
            tally = list(reader.tally.letters()), list(reader.tally.faults())
        return rows, tally

    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(f"{declaration}<Message>{''.join(pieces)}</Message>".encode())
        file.flush()
        patch.setattr(encoding, "BLOCK_BYTES", block_bytes)
        patch.setattr(abridged, "LONGEST", longest)
        with_pattern = seen()
        patch.setattr(abridged.Abridged, "_without_records", lambda self, text: text)
        assert with_pattern == seen()


def test_only_plain_records_are_taken_out() -> None:
    class Blocks:
        def __init__(self, text: str) -> None:
            self.left = text

        def read(self, _size: int = -1) -> bytes:
            block, self.left = self.left[:50], self.left[50:]
            return block.encode()

    plain = "<Child><Name>Ann</Name>\n<Grade>red</Grade></Child>"
    odd = "<Child id='1'><Name>Bob</Name></Child>"
    stream = abridged_records.AbridgedRecords(
        Blocks(f"<Message>{plain}{odd}{plain}<!-- {plain} --></Message>"), "Child", ["Name", "Grade"]
    )
    left = b"".join(iter(stream.read, b"")).decode()
    mark = f'<Child {stream.mark}=""> </Child>\n'
    assert left == f"<Message>{mark}{odd}{mark}<!-- {plain} --></Message>"
    assert [stream.taken(), stream.taken()] == [(("Name", "Grade"), ["Ann", "red"])] * 2


@given(
    st.lists(st.text(st.sampled_from("a,\";|\n\r'\\ "), max_size=5), min_size=1), st.sampled_from([",", ";", "|", "\t"])
)
def test_line_of_cells_is_read_back_as_those_cells(cells: list[str], delimiter: str) -> None:
    for quote in ('"', "'"):
        line = line_of(cells, delimiter, quote)
        assert next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, quotechar=quote)) == cells


def test_record_that_makes_the_reading_fail_is_a_letter_of_that_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(extra: dict[str, Any]) -> str:
        if extra:
            raise RecursionError("Canary")
        return "{}"

    monkeypatch.setattr(xml_layout, "extra_json", fails)
    content = b"<Message><Children><Child><b>x</b></Child>\n<Child><Name>Bob</Name></Child></Children></Message>"
    rows, reader = read_xml(tmp_path / "f", content)
    assert [(row[2], row[4]) for row in rows] == [("2", "Bob")]
    assert list(reader.tally.letters()) == [DeadLetter("record_unreadable", 1)]
    assert (reader.tally.loaded, reader.tally.dead) == (1, 1)
    assert "RecursionError" in caplog.text and "Canary" not in caplog.text
