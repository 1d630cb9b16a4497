"""What comes out of a gz or zip is what went in, or it is refused; whatever it says of itself. Mend: intake/contents/archives.py."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from frontdoor.intake.content import Content
from frontdoor.intake.contents import Member, archives, look_into
from frontdoor.intake.reasons import SENTENCES, Unreadable

TEXT = b"".join(b"N%d,C%d,%d\n" % (n, n, n * n * 7919 % 100_003) for n in range(3000))
CHEAP_SECONDS = 1.0


def packed(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streamed: bool = False) -> bytes:
    """A zip of these entries; streamed: written to a pipe, so that lengths follow the data."""
    out = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, part: bytes) -> int:  # type: ignore[override]
            return out.write(part)

    with zipfile.ZipFile(Pipe() if streamed else out, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


def look(content: bytes) -> list[Member]:
    """The members of a file; refused or not, it must not take long."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        began = time.process_time()
        found = look_into(Path(file.name), None)
        assert time.process_time() - began < CHEAP_SECONDS
    return found


def refusals(content: bytes) -> list[str | None]:
    found = [member.refusal for member in look(content)]
    assert all(code is None or code in SENTENCES for code in found)
    return found


def texts(content: bytes) -> list[bytes]:
    """The bytes of every member that is not refused."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        read = []
        for member in look_into(Path(file.name), None):
            if not member.refusal:
                with Content(Path(file.name), member.place).open() as stream:
                    read.append(stream.read())
    return read


ENTRIES = st.lists(st.binary(min_size=1, max_size=300).map(lambda part: b"a,b\n" + part.hex().encode()), max_size=4)


@given(entries=ENTRIES, streamed=st.booleans(), method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
@bounded(max_examples=60, deadline=None)
def test_every_entry_of_a_zip_is_read_back_in_its_order(entries: Sequence[bytes], streamed: bool, method: int) -> None:
    content = packed(*((f"{n}.csv", each) for n, each in enumerate(entries)), method=method, streamed=streamed)
    assert texts(content) == list(entries)
    assert [member.place for member in look(content)] == [{"entry": n + 1} for n in range(len(entries))] or not entries


@given(cut=st.integers(0, 10**6), streamed=st.booleans(), data=st.data())
@bounded(max_examples=150, deadline=None)
def test_zip_cut_anywhere_gives_whole_entries_and_names_the_rest(cut: int, streamed: bool, data: st.DataObject) -> None:
    entries = [TEXT[:2000], TEXT[5000:5300], TEXT[:40]]
    whole = packed(*((f"{n}.csv", each) for n, each in enumerate(entries)), streamed=streamed)
    content = whole[: cut % len(whole)]
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        read, found = texts(content), refusals(content)
        assert read == entries[: len(read)], "an entry came out that was not put in"
        assert len(read) == len(entries) or found[-1] == "archive_broken", "the missing ones are not named"


@given(cut=st.integers(2, 10**6))
@bounded(max_examples=80, deadline=None)
def test_gz_cut_anywhere_is_refused_as_broken(cut: int) -> None:
    whole = gzip.compress(TEXT)
    assert refusals(whole[: 2 + cut % (len(whole) - 2)]) == ["archive_broken"]


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
@bounded(max_examples=150, deadline=None)
def test_zip_with_a_flipped_bit_gives_what_was_put_in_or_is_refused(at: int, bit: int) -> None:
    content = bytearray(packed(("a.csv", TEXT[:3000]), ("b.csv", TEXT[3000:4000])))
    content[at % len(content)] ^= 1 << bit
    found = look(bytes(content))
    if not content.startswith(b"PK\x03\x04"):
        return
    for read in texts(bytes(content)):
        # A flipped bit in the list may hide an entry behind another's name or a folder's, but never changes its text.
        assert read in (TEXT[:3000], TEXT[3000:4000])
    assert found


def test_gz_of_several_parts_and_with_padding_is_one_member() -> None:
    assert texts(gzip.compress(TEXT) + gzip.compress(b"N9,C9,1\n") + bytes(512)) == [TEXT + b"N9,C9,1\n"]
    assert refusals(gzip.compress(TEXT) + b"left over") == ["archive_broken"]


def test_litter_and_folders_are_no_members_and_an_archive_of_nothing_else_is_empty() -> None:
    litter = [("data/", b""), ("__MACOSX/data/._a.csv", b"x"), ("data/.DS_Store", b"x"), ("Thumbs.db", b"x")]
    assert [member.place for member in look(packed(*litter, ("data/a.csv", TEXT)))] == [{"entry": 5}]
    assert refusals(packed(*litter)) == ["archive_empty"]
    assert refusals(packed()) == ["archive_empty"]


@pytest.mark.parametrize(
    "name", ["../../../etc/cron.d/x", "/etc/passwd", "C:\\Windows\\x.csv", "..\\x.csv", "a\nb;--.csv", "\u202e.csv"]
)
def test_names_of_entries_are_no_paths(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in" / "file.zip"
    path.parent.mkdir()
    path.write_bytes(packed((name, TEXT)))
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "in"))
    (member,) = look_into(path, None)
    assert member == Member({"entry": 1}, None, len(TEXT))
    with Content(path, member.place).open() as stream:
        assert stream.read() == TEXT
        stream.seek(-5, os.SEEK_END)
    assert [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")] == ["in", "in/file.zip"]


def test_archive_in_an_archive_is_refused_and_what_stands_beside_it_is_read() -> None:
    inner = packed(("x.csv", TEXT))
    content = packed(("a.zip", inner), ("b.csv", TEXT), ("c.gz", gzip.compress(TEXT)), ("empty.csv", b""))
    assert refusals(content) == ["archive_nested", None, "archive_nested", "empty"]
    assert refusals(gzip.compress(inner)) == ["archive_nested"]
    # The list of an archive that lies at the end of one whose own list was cut off is not taken for its own.
    stored = packed(("b.csv", TEXT), ("a.zip", inner), method=zipfile.ZIP_STORED)
    cut = stored.rindex(b"PK\x01\x02", 0, stored.rindex(b"PK\x01\x02"))
    assert refusals(stored[:cut]) == [None, "archive_nested", "archive_broken"]


def test_workbook_and_other_documents_are_no_archives() -> None:
    assert refusals(packed(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>"))) == ["archive"]
    assert refusals(packed(("[Content_Types].xml", b"<x/>"), ("word/document.xml", b"<x/>"))) == ["archive"]
    book = packed(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>"))
    assert refusals(packed(("a.xlsx", book), ("b.csv", TEXT))) == ["archive", None]


def test_locked_entry_and_unusual_packing_are_refused_with_their_reason() -> None:
    content = bytearray(packed(("a.csv", TEXT), ("b.csv", TEXT)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refusals(bytes(content)) == ["archive_locked", None]
    assert refusals(packed(("a.csv", TEXT), method=zipfile.ZIP_LZMA)) == ["archive_method"]
    assert refusals(packed(("a.csv", TEXT), method=zipfile.ZIP_BZIP2)) == ["archive_method"]


def test_bomb_is_refused_by_what_comes_out_and_costs_little() -> None:
    zeros = bytes(24 * 2**20)
    assert refusals(gzip.compress(zeros)) == ["archive_bomb"]
    assert refusals(packed(("a.csv", zeros), ("b.csv", TEXT))) == ["archive_bomb", None]
    assert refusals(packed(*((f"{n}.csv", zeros) for n in range(5)), ("z.csv", TEXT)))[1:] == ["archive_bomb"] * 5
    assert refusals(packed(("a.csv", b"a,b\n" + b" " * 2**20))) == [None], "a small page of blanks is no bomb"


def test_lying_lengths_are_not_believed() -> None:
    zeros = bytes(24 * 2**20)
    bomb, small = bytearray(packed(("a.csv", zeros))), bytearray(packed(("a.csv", TEXT)))
    for content in (bomb, small):
        listed = content.index(b"PK\x01\x02")
        content[listed + 24 : listed + 28] = struct.pack("<I", 10)
        content[22:26] = struct.pack("<I", 10)
    assert refusals(bytes(bomb)) == ["archive_bomb"]
    assert refusals(bytes(small)) == ["archive_broken"]


def test_entries_that_share_their_bytes_are_a_bomb() -> None:
    content = packed(("a.csv", TEXT))
    begins = content.index(b"PK\x01\x02")
    ends = content.index(b"PK\x05\x06")
    listed, count = content[begins:ends], 250
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(listed) * count, begins, 0)
    assert refusals(content[:begins] + listed * count + end) == ["archive_bomb"]


@pytest.mark.parametrize("name", ["{}.csv", "{}" + "x" * 200])
def test_ten_thousand_entries_are_refused_at_once(name: str) -> None:
    content = packed(*((name.format(n), b"a") for n in range(10_000)), method=zipfile.ZIP_STORED)
    assert refusals(content) == ["archive_too_many"]


def test_stream_goes_back_as_a_file_does() -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(packed(("a.csv", TEXT)))
        file.flush()
        content = Content(Path(file.name), {"entry": 1})
        plain = io.BytesIO(TEXT)
        with content.open() as stream:
            for offset, whence, size in [
                (0, 0, 10),
                (3, 0, 7),
                (100, 1, 5),
                (-20, 2, 30),
                (0, 0, 4),
                (-2, 1, 4),
                (9, 0, -1),
            ]:
                assert stream.seek(offset, whence) == plain.seek(offset, whence)
                assert stream.read(size) == plain.read(size)
                assert stream.tell() == plain.tell()


def test_memory_of_an_entry_is_bounded_by_blocks() -> None:
    lines = b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big").hex().encode() + b"\n" for n in range(400_000))
    with tempfile.NamedTemporaryFile() as file:
        file.write(gzip.compress(lines, 1))
        file.flush()
        sizes = [len(block) for block in archives.blocks(Path(file.name), archives.Entry(1, is_gz=True))]
    assert sum(sizes) == len(lines) and max(sizes) <= archives.BLOCK_BYTES
    with pytest.raises(Unreadable):
        list(archives.blocks(Path(os.devnull), archives.Entry(1, is_gz=True)))
