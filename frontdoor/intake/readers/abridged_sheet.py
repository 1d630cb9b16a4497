"""The plain rows of a sheet, taken out before it is parsed: five calls for every cell are what a workbook costs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from frontdoor.intake.readers.abridged import Abridged

# What stands in a cell as digits or plain letters: a number, the position of a shared string, TRUE. No `<`, `>` or `&`.
_TEXT = r"[ -%'-;=?-~]{1,40}+"
_CELL = rf'<c r="([A-Z]{{1,3}}+)\d{{1,7}}+"(?: s="(\d{{1,6}}+)")?+(?: t="(\w{{1,3}}+)")?+(?:/>|><v>({_TEXT})</v></c>)'
_CELLS = re.compile(_CELL, re.ASCII)
_ATTRIBUTES = r'(?: [A-Za-z0-9:]++="[\w .:-]*+")*+'
_ROW = re.compile(rf"<row({_ATTRIBUTES})>((?:{re.sub(r'[(](?![?])', '(?:', _CELL)})*)</row>", re.ASCII)
_OTHER_ENCODING = re.compile(r"""encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)
Cell = tuple[str, str, str, str]


class AbridgedSheet(Abridged[list[Cell]]):
    """A sheet without its plain rows. Of a row its cells are kept: (letters of column, style, type, text)."""

    def __init__(self) -> None:
        """Begin at the top."""
        super().__init__("row")
        self._pattern = _ROW

    def pieces(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield one piece for every block, and the last."""
        try:
            for block in blocks:
                # Every byte is a character here, for a pattern that knows none but those of ASCII.
                text = block.decode("latin-1")
                if self._is_first and _OTHER_ENCODING.search(text.partition("?>")[0]):
                    self._is_on = False
                yield self.abridge(text, is_last=False).encode("latin-1")
        except Exception:
            # What came before the damage is read.
            yield self.abridge("", is_last=True).encode("latin-1")
            raise
        yield self.abridge("", is_last=True).encode("latin-1")

    def _take(self, found: re.Match[str]) -> str | None:
        self._taken.append(_CELLS.findall(found[2]))
        return f'<row{found[1]} {self.mark}=""/>'
