"""SQL that reads one property: its typed value, and in what state it was.

The states: `ok`; `missing` (nothing, or a filler such as "n/k" or "see referral"); `unmapped` (a label that the list
does not know: a person decides); `unparsed` (neither a date, a stamp nor a number). A list is `unmapped` as soon as
one of its elements is; the elements that are known are kept, and all of them stay in raw.<feed> as sent.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from frontdoor.contract import Property
from frontdoor.quality.reading.labels import identifier, label, literal, small


@dataclass(frozen=True)
class Dialect:
    """How the text of one delivery is to be understood: what holds on the day received for one agency and source."""

    zone: str
    list_separator: str
    date_formats: tuple[str, ...]
    timestamp_formats: tuple[str, ...]
    received_year: int
    # Code list -> JSON of label -> code.
    codes: Mapping[str, str]
    # Property -> the fillers that mean that nothing was said.
    fillers: Mapping[str, frozenset[str]]


def value(each: Property, dialect: Dialect) -> str:
    """SQL of the typed value, over sent.<p> (a date or stamp in ISO order), _wall_<p> and seeds."""
    sent = f"sent.{identifier(each.name)}"
    if each.is_list:
        return _list_value(each, dialect, sent)
    if each.kind == "code":
        return code(sent, each, dialect)
    if each.kind == "integer":
        return f"reading.{'completed' if each.is_cut else 'whole_number'}({sent})"
    if each.kind == "date":
        return f"reading.day({sent})"
    if each.kind == "timestamp":
        return f"reading.instant({sent}, {identifier('_wall_' + each.name)}, {literal(dialect.zone)})"
    return f"case when {is_filler(sent, each, dialect)} then null else {sent} end"


def state(each: Property, dialect: Dialect) -> str:
    """SQL of the state, over read.<p>, read._sent_<p> and seeds."""
    sent, read = f"read.{identifier('_sent_' + each.name)}", f"read.{identifier(each.name)}"
    missing = f"{sent} is null or {is_filler(sent, each, dialect)}"
    if each.kind == "code":
        if not each.is_list:
            return f"case when {read} is not null then 'ok' when {missing} then 'missing' else 'unmapped' end"
        listed = elements(each, dialect, sent)
        return (
            f"case when {sent} is null then 'missing'"
            f" when cardinality({read}) = cardinality({_split(sent, dialect)}) then 'ok'"
            f" when (select count(*) from {listed}) > coalesce(cardinality({read}), 0) then 'unmapped'"
            f" when {read} is null then 'missing' else 'ok' end"
        )
    if each.is_list or each.kind in ("string", "narrative"):
        return f"case when {read} is null then 'missing' else 'ok' end"
    return f"case when {read} is not null then 'ok' when {missing} then 'missing' else 'unparsed' end"


def is_filler(sent: str, each: Property, dialect: Dialect) -> str:
    """SQL that says whether trimmed text only fills a cell. Long text is told apart before anything is looked up."""
    fillers = dialect.fillers[each.name]
    if not fillers:
        return "false"
    longest = max(len(filler.encode()) for filler in fillers) + 8
    known = identifier(_fillers_name(fillers))
    return (
        f'(octet_length({sent}) <= {longest} and (jsonb_exists(seeds.{known}, lower({sent} collate "C"))'
        f" or ((position('  ' in {sent}) > 0 or octet_length({sent}) > char_length({sent}))"
        f" and jsonb_exists(seeds.{known}, reading.label({sent})))))"
    )


def seeds(dialect: Dialect) -> str:
    """SQL of the one row `seeds`: fillers, written once, so that a statement stays small to plan."""
    named = {}
    for fillers in dialect.fillers.values():
        forms = {small(filler) for filler in fillers} | {label(filler) for filler in fillers}
        named[_fillers_name(fillers)] = json.dumps({form: 1 for form in sorted(forms - {""})}, ensure_ascii=False)
    return ", ".join(f"{literal(content)}::jsonb as {identifier(name)}" for name, content in named.items())


def _fillers_name(fillers: frozenset[str]) -> str:
    return "fillers_" + hashlib.sha256("\x1f".join(sorted(fillers)).encode()).hexdigest()[:8]


def code(sent: str, each: Property, dialect: Dialect) -> str:
    """SQL of the code that trimmed text means; null where the list does not know it."""
    # A literal, not a column of `seeds`: a row would be taken apart, and short values copied, for every record.
    return f"reading.code({sent}, {literal(dialect.codes[each.code_list or ''])}::jsonb)"


def _list_value(each: Property, dialect: Dialect, sent: str) -> str:
    separator = literal(dialect.list_separator)
    if each.kind == "code":
        one = code(sent, each, dialect)
        known = f"select {code('element', each, dialect)} as code from {_parts(sent, dialect)} offset 0"
        several = f"select code from ({known}) as known where code is not null"
    else:
        one = value_of_text(sent, each, dialect)
        several = f"select element from {elements(each, dialect, sent)}"
    return (
        f"case when position({separator} in {sent}) = 0 then nullif(array[{one}], array[null]::text[])"
        f" when {sent} is not null then nullif(array({several}), array[]::text[]) end"
    )


def value_of_text(sent: str, each: Property, dialect: Dialect) -> str:
    """SQL of text that is null where it is a filler."""
    return f"case when {is_filler(sent, each, dialect)} then null else {sent} end"


def _split(sent: str, dialect: Dialect) -> str:
    return f"string_to_array({sent}, {literal(dialect.list_separator)})"


def _parts(sent: str, dialect: Dialect) -> str:
    return (
        f"(select reading.trimmed(part) as element from unnest({_split(sent, dialect)}) as parts (part) offset 0)"
        " as elements"
    )


def elements(each: Property, dialect: Dialect, sent: str) -> str:
    """A relation (element) of what a list says, in its order; nothing and fillers (unless a code) say nothing."""
    said = f"not {is_filler('element', each, dialect)}"
    if each.kind == "code":
        said = f"({code('element', each, dialect)} is not null or {said})"
    return f"{_parts(sent, dialect)} where element is not null and {said}"
