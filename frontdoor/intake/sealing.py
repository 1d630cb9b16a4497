"""The format in which the archive keeps bytes: encrypted, and such that any change to them is noticed.

A sealed file is a header, a label (who sent it and when, for whoever has nothing but the archive) and chunks. Each file
has a key of its own, made from the master key and everything in the header (HKDF), so that a header cannot be altered
either. Each part is sealed by AES-256-GCM under a nonce that says where it stands: its number, and whether it is the
label, a chunk or the last chunk. So chunks that are missing, moved, exchanged between files or cut off do not open. The
last chunk is opened first, and with it the length is proven before a byte is given out. It is the construction of age
and of Tink's streaming encryption; ours because neither package lets one seek in Python, and readers must: a zip's list
stands at its end.

    magic 8 | key id 8 | salt 32 | log2 of the chunk 1 | 3 zeros | length of the label 4   the header
    label + 16 | chunk + 16 | chunk + 16 | ... | last chunk + 16                           the last has 0 to chunk bytes
"""

from __future__ import annotations

import hmac
import io
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"\x93FDSEAL\x01"
HEADER = struct.Struct("<8s8s32sB3xI")
SECRET_BYTES = 32
TAG_BYTES = 16
CHUNK_BITS = 17
# What is read must fit into memory: no header may ask for more.
MOST_CHUNK_BITS = 24
MOST_LABEL_BYTES = 2**16
_MORE, _LAST, _LABEL = 0, 1, 2
_CHANGED = "a part of the file is not what was stored"


class Damaged(OSError):
    """Stored bytes that do not open: changed, cut, or not ours. The archive must be mended from a backup."""


class KeyMissing(OSError):
    """Stored bytes that were sealed with a key that is not here; `key_id` names it and gives nothing away."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"sealed with key {key_id}, which is not here")
        self.key_id = key_id


@dataclass(frozen=True)
class Key:
    """A master key. Its id stands in every file that it sealed."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Sixteen hexadecimal digits that tell the key from others and cannot be turned back into it."""
        return hmac.digest(self.secret, b"frontdoor archive key id", "sha256")[:8].hex()


def key_id_of(head: bytes) -> str | None:
    """Return which key sealed a file that begins so; None where it is not sealed."""
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        return None
    key_id: bytes = HEADER.unpack_from(head)[1]
    return key_id.hex()


def seal(blocks: Iterable[bytes], key: Key, label: bytes = b"", *, chunk_bits: int = CHUNK_BITS) -> Iterator[bytes]:
    """Yield the sealed file of these bytes, in parts; two of the same bytes have nothing in common."""
    if len(label) > MOST_LABEL_BYTES:
        raise ValueError(f"a label has at most {MOST_LABEL_BYTES} bytes")
    header = HEADER.pack(MAGIC, bytes.fromhex(key.key_id), os.urandom(32), chunk_bits, len(label))
    cipher = _cipher(key, header)
    yield header
    yield cipher.encrypt(_nonce(0, _LABEL), label, None)
    for number, (chunk, kind) in enumerate(_chunks(blocks, 1 << chunk_bits)):
        yield cipher.encrypt(_nonce(number, kind), chunk, None)


class Sealed:
    """A sealed file that is open: its label, the length of what is in it, and its bytes, as often as wanted."""

    def __init__(self, file: int, keys: Mapping[str, Key]) -> None:
        """Look at the open file (a descriptor, which stays the caller's). Raises `Damaged` or `KeyMissing`."""
        self._file = file
        self.header = os.pread(file, HEADER.size, 0)
        key_id = key_id_of(self.header)
        if key_id is None:
            raise Damaged("this is no sealed file")
        if key_id not in keys:
            raise KeyMissing(key_id)
        *_, chunk_bits, label_bytes = HEADER.unpack(self.header)
        if chunk_bits > MOST_CHUNK_BITS or label_bytes > MOST_LABEL_BYTES:
            raise Damaged("the header asks for more than there can be")
        self.key_id, self.chunk_bytes = key_id, 1 << chunk_bits
        self._cipher = _cipher(keys[key_id], self.header)
        self._begin = HEADER.size + label_bytes + TAG_BYTES
        body = os.fstat(file).st_size - self._begin
        self._chunks = -(-body // (self.chunk_bytes + TAG_BYTES))
        self.size_bytes = body - self._chunks * TAG_BYTES
        # Only an empty file has an empty chunk.
        if self._chunks < 1 or self.size_bytes < (self._chunks - 1) * self.chunk_bytes + (self._chunks > 1):
            raise Damaged("the file is cut")
        self.label = self._part(HEADER.size, label_bytes + TAG_BYTES, _nonce(0, _LABEL))
        self.chunk(self._chunks - 1)

    def open(self) -> Unsealed:
        """Read what is in it from the beginning, forwards and backwards. The descriptor must stay open meanwhile."""
        return Unsealed(self)

    def chunk(self, number: int) -> bytes:
        """Return one chunk of what is in it."""
        sealed_bytes = self.chunk_bytes + TAG_BYTES
        return self._part(self._begin + number * sealed_bytes, sealed_bytes, self._nonce_of(number))

    def chunk_into(self, number: int, buffer: memoryview, scratch: bytearray) -> None:
        """Put a chunk that is whole into a buffer of its length; `scratch` is TAG_BYTES longer."""
        os.preadv(self._file, [scratch], self._begin + number * len(scratch))
        try:
            self._cipher.decrypt_into(self._nonce_of(number), scratch, None, buffer)
        except InvalidTag:
            raise Damaged(_CHANGED) from None

    def _nonce_of(self, number: int) -> bytes:
        return _nonce(number, _LAST if number == self._chunks - 1 else _MORE)

    def _part(self, at: int, size: int, nonce: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, os.pread(self._file, size, at), None)
        except InvalidTag:
            raise Damaged(_CHANGED) from None


class Unsealed(io.RawIOBase):
    """What is in a sealed file; holds one chunk in memory."""

    def __init__(self, sealed: Sealed) -> None:
        """Begin at the beginning."""
        super().__init__()
        self._sealed, self._at = sealed, 0
        self._number, self._chunk = -1, memoryview(b"")
        self._scratch = bytearray(sealed.chunk_bytes + TAG_BYTES)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return where the next byte stands."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte, and return where that is."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._sealed.size_bytes}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek value {base + offset}")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes; fewer only at the end."""
        left = max(self._sealed.size_bytes - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        parts: list[memoryview] = []
        while wanted:
            number, inside = divmod(self._at, self._sealed.chunk_bytes)
            if number != self._number:
                self._chunk, self._number = memoryview(self._sealed.chunk(number)), number
            part = self._chunk[inside : inside + wanted]
            self._at += len(part)
            wanted -= len(part)
            parts.append(part)
        return b"".join(parts)

    def readall(self) -> bytes:
        """Return everything that is left."""
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; return how many bytes were put into it. Whole chunks go straight there."""
        view, filled, step = memoryview(buffer).cast("B"), 0, self._sealed.chunk_bytes
        while filled < len(view) and self._at < self._sealed.size_bytes:
            left = min(len(view) - filled, self._sealed.size_bytes - self._at)
            if left >= step and self._at % step == 0:
                self._sealed.chunk_into(self._at // step, view[filled : filled + step], self._scratch)
                self._at += step
                filled += step
            else:
                part = self.read(min(left, step - self._at % step))
                view[filled : filled + len(part)] = part
                filled += len(part)
        return filled


def _cipher(key: Key, header: bytes) -> AESGCM:
    salt = HEADER.unpack(header)[2]
    return AESGCM(HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=salt, info=header).derive(key.secret))


def _nonce(number: int, kind: int) -> bytes:
    return number.to_bytes(11, "big") + bytes([kind])


def _chunks(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes | memoryview, int]]:
    """Yield the bytes in chunks of that size, each with its kind; one is held back until it is known not to be last."""
    rest = b""
    for block in blocks:
        rest = rest + block if rest else block
        whole = max(len(rest) - 1, 0) // size * size
        view = memoryview(rest)
        for at in range(0, whole, size):
            yield view[at : at + size], _MORE
        rest = rest[whole:]
    yield rest, _LAST
