"""What is sealed opens whole and unchanged, or not at all. Mend: intake/sealing.py, intake/archive_keys.py."""

from __future__ import annotations

import io
import os
import random
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdoor.intake import archive, archive_keys, sealing
from frontdoor.intake.sealing import Damaged, Key, KeyMissing, Sealed, seal
from tests.conftest import make_settings

BITS, CHUNK = 4, 16
KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)
KEYS = {KEY.key_id: KEY}
# Around the borders of chunks: none, one, several, and one byte to either side.
SIZES = st.one_of(st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5]), st.integers(0, 200))


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def sealed(content: bytes, label: bytes = b"who", blocks: int = 7, bits: int = BITS) -> bytes:
    given = (content[at : at + blocks] for at in range(0, len(content), blocks))
    return b"".join(seal(given, KEY, label, chunk_bits=bits))


@contextmanager
def file_of(content: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.fileno()


def opened(content: bytes) -> tuple[bytes, bytes]:
    with file_of(content) as file:
        found = Sealed(file, KEYS)
        return found.label, found.open().read()


@given(size=SIZES, blocks=st.integers(1, 70), label=st.binary(max_size=50))
def test_what_is_sealed_opens_as_it_was(size: int, blocks: int, label: bytes) -> None:
    content = content_of(size)
    assert opened(sealed(content, label, blocks)) == (label, content)


@given(
    size=SIZES, steps=st.lists(st.tuples(st.integers(0, 2), st.integers(-60, 260), st.integers(-1, 60)), max_size=20)
)
def test_it_is_read_forwards_and_backwards_like_any_file(size: int, steps: list[tuple[int, int, int]]) -> None:
    content = content_of(size)
    with file_of(sealed(content)) as file:
        one, other = Sealed(file, KEYS).open(), io.BytesIO(content)
        for whence, offset, length in steps:
            base = {0: 0, 1: other.tell(), 2: size}[whence]
            if base + offset < 0:
                continue
            assert one.seek(offset, whence) == other.seek(offset, whence)
            assert one.read(length) == other.read(length)
            into, also = bytearray(max(length, 0)), bytearray(max(length, 0))
            assert one.readinto(into) == other.readinto(also) and into == also
            assert one.tell() == other.tell()
        one.seek(0)
        assert io.BufferedReader(one).readlines() == io.BytesIO(content).readlines()


@given(size=SIZES, at=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_can_be_changed(size: int, at: int, bit: int) -> None:
    whole = bytearray(sealed(content_of(size)))
    whole[at % len(whole)] ^= 1 << bit
    with pytest.raises((Damaged, KeyMissing)):
        opened(bytes(whole))
    with pytest.raises((Damaged, KeyMissing)), file_of(bytes(whole)) as file:
        Sealed(file, KEYS).open().readinto(bytearray(size))


@given(size=SIZES, kept=st.integers(0))
def test_nothing_can_be_cut_off_without_the_first_byte_being_refused(size: int, kept: int) -> None:
    whole = sealed(content_of(size))
    with file_of(whole[: kept % len(whole)]) as file, pytest.raises(Damaged):
        Sealed(file, KEYS)


@given(size=SIZES, more=st.binary(min_size=1, max_size=40))
def test_nothing_can_be_added(size: int, more: bytes) -> None:
    with file_of(sealed(content_of(size)) + more) as file, pytest.raises(Damaged):
        Sealed(file, KEYS)


@given(count=st.integers(2, 6), first=st.integers(0), second=st.integers(0))
def test_chunks_cannot_change_places(count: int, first: int, second: int) -> None:
    first, second = first % count, second % count
    begin, step = sealing.HEADER.size + 3 + 16, CHUNK + 16
    whole = sealed(content_of(count * CHUNK))
    parts = [whole[begin + at * step : begin + (at + 1) * step] for at in range(count)]
    parts[first], parts[second] = parts[second], parts[first]
    changed = whole[:begin] + b"".join(parts)
    if first == second:
        assert opened(changed)[1] == content_of(count * CHUNK)
    else:
        with pytest.raises(Damaged):
            opened(changed)


def test_a_chunk_of_another_file_of_the_same_bytes_does_not_open() -> None:
    content = content_of(3 * CHUNK)
    one, other = sealed(content), sealed(content)
    begin, step = sealing.HEADER.size + 3 + 16, CHUNK + 16
    assert one[begin:] != other[begin:], "two sealed files of the same bytes have nothing in common"
    with pytest.raises(Damaged):
        opened(one[:begin] + other[begin : begin + step] + one[begin + step :])


def test_last_chunk_made_of_an_inner_one_is_no_end() -> None:
    """Cut at a border of chunks, where every chunk that is left is a good one."""
    begin, step = sealing.HEADER.size + 3 + 16, CHUNK + 16
    with pytest.raises(Damaged):
        opened(sealed(content_of(3 * CHUNK))[: begin + 2 * step])


def test_wrong_key_opens_nothing_and_is_named_without_giving_it_away() -> None:
    with file_of(sealed(b"a child")) as file:
        with pytest.raises(KeyMissing, match=KEY.key_id):
            Sealed(file, {OTHER.key_id: OTHER})
        with pytest.raises(Damaged):
            Sealed(file, {KEY.key_id: OTHER})
    assert KEY.secret.hex() not in KEY.key_id and KEY.secret.hex() not in repr(KEY) and "kkk" not in repr(KEY)


def test_header_that_asks_for_much_memory_is_refused() -> None:
    for bits, label in ((40, 3), (BITS, 2**31)):
        header = sealing.HEADER.pack(sealing.MAGIC, bytes.fromhex(KEY.key_id), bytes(32), bits, label)
        with pytest.raises(Damaged):
            opened(header + bytes(200))


def test_plain_file_is_no_sealed_one() -> None:
    with pytest.raises(Damaged):
        opened(b"notification_ref,forename\nN1,Ann\n" * 9)


def test_sealed_bytes_of_the_real_chunk_size_open(tmp_path: Path) -> None:
    content = content_of(2 * 2**sealing.CHUNK_BITS + 5)
    assert opened(sealed(content, blocks=2**20, bits=sealing.CHUNK_BITS))[1] == content


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    here = make_settings(tmp_path)
    key = archive_keys.sealing(here, lambda: True)
    assert archive_keys.sealing(here, lambda: False) == key
    assert stat.S_IMODE(here.archive_key.stat().st_mode) == 0o600
    assert [each.name for each in here.archive_key.parent.iterdir()] == ["archive_key"]
    archive_keys.make(here.archive_key)
    assert archive_keys.sealing(here, lambda: False) == key, "a process that came second changes nothing"


def test_added_key_seals_and_the_one_before_still_opens(tmp_path: Path) -> None:
    here = make_settings(tmp_path)
    before = archive_keys.sealing(here, lambda: True)
    after = archive_keys.add(here)
    assert archive_keys.sealing(here, lambda: False) == after != before
    assert set(archive_keys.opening(here)) == {before.key_id, after.key_id}
    assert stat.S_IMODE(here.archive_key.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["gone", "empty", "nonsense", "a folder"])
def test_lost_key_is_replaced_by_a_spare_and_never_written_over(tmp_path: Path, damage: str) -> None:
    here = make_settings(tmp_path)
    lost = archive_keys.sealing(here, lambda: True)
    text = here.archive_key.read_text()
    here.archive_key.unlink()
    if damage == "a folder":
        here.archive_key.mkdir()
    elif damage != "gone":
        here.archive_key.write_text("" if damage == "empty" else "no key at all\n\xe9\n")
    spare = archive_keys.sealing(here, lambda: False)
    assert spare != lost and archive_keys.sealing(here, lambda: False) == spare
    assert not archive_keys.read(here.archive_key)
    if damage == "a folder":
        here.archive_key.rmdir()
    here.archive_key.write_text(text)
    assert archive_keys.sealing(here, lambda: False) == lost
    assert set(archive_keys.opening(here)) == {lost.key_id, spare.key_id}


def test_first_key_goes_to_the_spare_where_its_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    here = make_settings(tmp_path / "home", ARCHIVE_KEY_FILE=str(tmp_path / "blocked" / "key"))
    assert archive_keys.sealing(here, lambda: True) == archive_keys.read(archive_keys.spare_file(here))[-1]


def test_plain_file_under_a_sealed_name_is_not_believed(tmp_path: Path) -> None:
    here = make_settings(tmp_path)
    name = "ab" * 16
    with file_of(b"what was sent") as file:
        archive.store(file, here, name)
    (here.archive / name[:2] / name).write_bytes(b"what somebody put there")
    with pytest.raises(Damaged), archive.opened(here, name):
        pass


def test_replaced_bytes_are_read_anew_and_old_readers_go_on(tmp_path: Path) -> None:
    here, name = make_settings(tmp_path), "cd" * 16
    with file_of(b"Ann\nBob\n") as file:
        stored = archive.store(file, here, name, {"agency": "a"})
    with archive.opened(here, name) as before:
        told = archive.rewrite(here, name, lambda file: (line for line in file if line != b"Ann\n"))
        with archive.opened(here, name) as after:
            assert (before.open().read(), after.open().read()) == (b"Ann\nBob\n", b"Bob\n")
            assert before != after and after.label == {"agency": "a"} and after.size_bytes == 4
    assert told.name == name and told.sha256 != stored.sha256
    assert list(archive.each(here)) == [name]
    assert archive.delete(here, name) and not archive.delete(here, name)
    assert list(archive.each(here)) == []
    assert not [path for path in here.archive.rglob("*") if path.is_file()]


def test_rewriting_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    here, name = make_settings(tmp_path), "ef" * 16
    with file_of(b"Ann\n") as file:
        archive.store(file, here, name)

    def breaks(_: object) -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        archive.rewrite(here, name, breaks)
    with archive.opened(here, name) as kept:
        assert kept.open().read() == b"Ann\n"


def test_descriptor_of_the_stored_file_is_not_moved(tmp_path: Path) -> None:
    """Whoever took the file reads it again afterwards."""
    here = make_settings(tmp_path)
    with file_of(b"Ann\n") as file:
        at = os.lseek(file, 0, os.SEEK_CUR)
        archive.store(file, here, "ab" * 16)
        assert os.lseek(file, 0, os.SEEK_CUR) == at
