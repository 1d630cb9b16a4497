"""Labels and fillers as the reading compares them: the Python side of `reading.label` in the database.

Both sides fold ASCII letters only, because what else counts as a capital depends on the server's locale.
"""

import json
import re
from collections.abc import Collection, Mapping

_BETWEEN = re.compile(r"[\x01-\x2f\x3a-\x60\x7b-\x7f]+")
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2007\u202f\u3000", " ") | dict.fromkeys("\u200b\ufeff'\u2018\u2019", ""))
_SMALL = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})


def label(text: str) -> str:
    """The form in which labels are compared; equal to `reading.label(text)`."""
    return _BETWEEN.sub(" ", text.translate(_BLANKS).translate(_SMALL)).strip(" ")


def small(text: str) -> str:
    """Text with ASCII capitals made small; equal to `lower(text collate "C")`."""
    return text.translate(_SMALL)


def code_map(codes: Mapping[str, str], agreed: Mapping[str, str], ambiguous: Collection[str] = ()) -> str:
    """JSON of label -> code for `reading.code`: codes and their labels, and over them what the agency agreed.

    codes: code -> label of the list on the day received; agreed: the agency's label -> code. An exact spelling wins
    over a form. A form that would mean two codes means none: a person decides. Where yes and no are codes, the truth
    values of JSON and of spreadsheets mean them, unless the agency agreed otherwise. What a person called ambiguous
    means nothing, in any spelling but that of a code itself.
    """
    truth = {"true": "yes", "false": "no"} if {"yes", "no"} <= set(codes) else {}
    exact = {code: code for code in codes}
    for code, words in codes.items():
        exact.setdefault(words, code)
    known = truth | _forms(exact) | exact | _forms(agreed) | dict(agreed)
    doubtful = {form for text in ambiguous for form in (text, label(text), label(text.casefold()))}
    kept = {text: code for text, code in known.items() if text not in doubtful or text in codes}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _forms(exact: Mapping[str, str]) -> dict[str, str]:
    meant: dict[str, set[str]] = {}
    for spelling, code in exact.items():
        for form in {label(spelling), label(spelling.casefold())}:
            meant.setdefault(form, set()).add(code)
    return {form: next(iter(found)) for form, found in meant.items() if form and len(found) == 1}


def literal(text: str) -> str:
    """Text as an SQL literal (standard_conforming_strings, Postgres' default since 9.1)."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
