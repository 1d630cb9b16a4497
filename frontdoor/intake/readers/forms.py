"""Which format a member of a file is in, told by its bytes: what was agreed only settles what they leave open."""

from __future__ import annotations

import re
from typing import NamedTuple

from frontdoor.intake.content import Content
from frontdoor.intake.readers import encoding

SAMPLE_BYTES = 2**18
BLANK = " \t\r\n\ufeff\x1e"
_OBJECT = re.compile(r"\{\s*(?:\"|\}|\Z)")
_LIST = re.compile(r"\[\s*(?:[\[{\]]|\Z)")
_XML = re.compile(r"<[?!A-Za-z]")
# Strings, or one bracket; a string that is not closed runs to the end.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)|[\[\]{}]', re.DOTALL)


class Form(NamedTuple):
    """A format (csv, json, jsonl or xml), and whether it is, or may be, the one that was agreed."""

    name: str
    is_agreed: bool


def form_of(content: Content, agreed: str) -> Form:
    """Return the format of a member."""
    name, is_one_line = _told_by_bytes(content, agreed)
    # One line of one object is a document and a line.
    return Form(name, name == agreed or (is_one_line and agreed == "jsonl"))


def _told_by_bytes(content: Content, agreed: str) -> tuple[str, bool]:
    sample = next(encoding.utf8_blocks(content, encoding.of_content(content)), b"")[:SAMPLE_BYTES]
    text = sample.decode("utf-8", "replace").lstrip(BLANK)
    if _XML.match(text):
        return "xml", False
    lines = [line.strip(BLANK) for line in re.split(r"\r\n|[\r\n]", text)]
    lines = [line for line in lines if line]
    if _LIST.match(text):
        return "json", False
    if _OBJECT.match(text):
        if len(lines) == 1 and len(sample) == SAMPLE_BYTES and agreed == "jsonl":
            return "jsonl", False  # one line that is longer than what we look at
        return _of_objects(lines), len(lines) == 1
    # The first line may be damaged, or a note; records below it tell what was meant.
    if agreed in ("json", "jsonl") and any(map(_OBJECT.match, lines)):
        return ("jsonl" if any(_is_closed(line) for line in lines[1:]) else "json"), False
    return "csv", False


def _of_objects(lines: list[str]) -> str:
    """Tell lines of objects from a document that begins with one."""
    if len(lines) == 1:
        return "json"
    if not _OBJECT.match(lines[1]):
        # Broken in the middle, the second line looks like anything; then the next whole one tells.
        return "jsonl" if _is_closed(lines[0]) else "json"
    # Within a document an object can begin a line only in a list.
    return "json" if _innermost(lines[0]) == "[" else "jsonl"


def _is_closed(line: str) -> bool:
    return bool(_OBJECT.match(line)) and _innermost(line) == ""


def _innermost(text: str) -> str:
    """Return the bracket that stands open at the end of a text; "" for none."""
    waiting: list[str] = []
    for found in _BRACKETS.finditer(text):
        mark = found[0]
        if mark in "[{":
            waiting.append(mark)
        elif mark in "]}" and waiting:
            waiting.pop()
    return waiting[-1] if waiting else ""
