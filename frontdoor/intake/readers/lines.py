"""The physical lines of a file, block by block, with as much look-ahead as a record needs."""

from __future__ import annotations

from collections.abc import Iterator

# A longer line is no record; it is skipped without being held in memory.
LONGEST_LINE = 16 * 2**20


class Lines:
    """Lines without their newline. A line that is too long is given as None, so that numbers stay exact.

    `is_cut`: the last line has no newline, so nobody knows whether it is whole.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        """Split these blocks, which may end anywhere."""
        self._blocks = blocks
        self._parts: list[bytes] = []
        self._length = 0
        self._has_ended = False
        self.is_cut = False
        self.waiting: list[bytes | None] = []

    def refill(self) -> bool:
        """Append the next lines to `waiting`; False when there are no more."""
        while not self._has_ended:
            block = next(self._blocks, None)
            if block is None:
                self._has_ended = True
                if self._length:
                    self.is_cut = True
                    self.waiting.append(self._line())
                    return True
                return False
            if b"\n" not in block:
                self._keep(block)
                continue
            first, *lines = block.split(b"\n")
            last = lines.pop()
            self._keep(first)
            self.waiting.append(self._line())
            self.waiting.extend(lines)
            self._keep(last)
            return True
        return False

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > LONGEST_LINE:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _line(self) -> bytes | None:
        line = b"".join(self._parts) if self._length <= LONGEST_LINE else None
        self._parts.clear()
        self._length = 0
        return line
