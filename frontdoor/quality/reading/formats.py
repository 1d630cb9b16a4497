"""Dates and stamps as an agency writes them, rearranged into ISO order by SQL; whether the day exists is asked later.

An agency's formats use the words of `to_date`: YYYY, YY, MM, DD, Mon, HH24, MI, SS. ISO 8601 is always understood and
needs no format. A two-digit year is the latest one that is not more than five years after the day received.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from frontdoor.quality.reading.labels import literal

_TOKEN = re.compile(r"YYYY|YY|HH24|MM|MI|SS|DD|MONTH|MON|T|[^A-Z]", re.IGNORECASE)
_NUMBERS = {"YYYY": "([0-9]{4})", "YY": "([0-9]{2})", "MONTH": "([A-Za-z]{3,9})", "MON": "([A-Za-z]{3,9})"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_MAP = "{" + ", ".join(f'"{name}": "{number:02d}"' for number, name in enumerate(_MONTHS, start=1)) + "}"
YEARS_AHEAD = 5


@dataclass(frozen=True)
class Format:
    """One format, cut into its tokens."""

    tokens: tuple[str, ...]

    @property
    def has_time(self) -> bool:
        """Whether it says a time of day."""
        return "HH24" in self.tokens

    @property
    def is_iso(self) -> bool:
        """Whether the reading understands it without help."""
        words = [token for token in self.tokens if token in {"YYYY", "MM", "DD", "MON", "MONTH", "YY"}]
        return words == ["YYYY", "MM", "DD"] and self.has_separators

    @property
    def has_separators(self) -> bool:
        """Whether something stands between the parts of the day."""
        return not any(
            f"{left}{right}" in "".join(self.tokens) for left, right in (("YYYY", "MM"), ("MM", "DD"), ("DD", "MM"))
        )

    def pattern(self) -> str:
        """A regular expression with one group per token that carries something."""
        digits = "([0-9]{1,2})" if self.has_separators else "([0-9]{2})"
        parts = []
        for token in self.tokens:
            if token in _NUMBERS:
                parts.append(_NUMBERS[token])
            elif token.isalnum() and token != "T":
                parts.append("([0-9]{2})" if token in {"MI", "SS"} else digits)
            else:
                parts.append("[-/.]" if token in "-/." else "[Tt ]" if token in "T " else re.escape(token))
        return f"^{''.join(parts)}$"

    def group(self, *names: str) -> int | None:
        """The number of the group that carries one of these tokens."""
        carrying = [token for token in self.tokens if token.isalnum() and token != "T"]
        return next((number for number, token in enumerate(carrying, start=1) if token in names), None)


def parse_format(text: str) -> Format | None:
    """The format, or None where it uses words that the reading does not know."""
    tokens = tuple(token.upper() for token in _TOKEN.findall(text))
    known = sum(len(token) for token in tokens) == len(text)
    days = {"DD"} <= set(tokens) and bool({"YYYY", "YY"} & set(tokens)) and bool({"MM", "MON", "MONTH"} & set(tokens))
    return Format(tokens) if known and days else None


def iso_order(sent: str, formats: Iterable[str], received_year: int, *, with_time: bool) -> str:
    """SQL that gives the column `sent` in ISO order, or as it is where no format fits.

    A stamp may be written as a day alone only if a format says so; it is then the start of that day.
    """
    parsed = [each for each in map(parse_format, formats) if each is not None]
    if with_time and any(not each.has_time for each in parsed):
        day = iso_order(sent, [text for text in formats if "HH" not in text.upper()], received_year, with_time=False)
        rest = iso_order(sent, [text for text in formats if "HH" in text.upper()], received_year, with_time=True)
        return f"case when position(':' in {sent}) = 0 then {day} || 'T00:00' else {rest} end"
    wanted = [each for each in parsed if each.has_time == with_time and not each.is_iso]
    if not wanted:
        return sent
    fixed = "".join(f" when {sent} like {literal(shape)} then {order}" for shape, order in _by_position(sent, wanted))
    slow = ", ".join(_by_pattern(sent, each, received_year) for each in wanted)
    as_it_is = f"{sent} like '____-__-__%' or octet_length({sent}) not between 6 and 40"
    return f"case when {as_it_is} then {sent}{fixed} else coalesce({slow}, {sent}) end"


def _by_position(sent: str, formats: list[Format]) -> Iterable[tuple[str, str]]:
    """LIKE shapes and rearrangements for formats whose parts stand at fixed places: much quicker than patterns."""
    for each in formats:
        if {"YY", "MON", "MONTH"} & set(each.tokens) or not each.has_separators:
            continue
        shape, places = "", {}
        for token in each.tokens:
            width = {"YYYY": 4, "HH24": 2, "MM": 2, "DD": 2, "MI": 2, "SS": 2}.get(token, 1)
            places[token] = (len(shape) + 1, width)
            shape += "_" * width if token.isalnum() and token != "T" else token
        order = "||'-'||".join(
            f"substr({sent}, {places[token][0]}, {places[token][1]})" for token in ("YYYY", "MM", "DD")
        )
        if each.has_time:
            time = [f"substr({sent}, {places[t][0]}, 2)" for t in ("HH24", "MI", "SS") if t in places]
            order += "||'T'||" + "||':'||".join(time)
        yield shape, order


def _by_pattern(sent: str, each: Format, received_year: int) -> str:
    def part(*names: str) -> str:
        return f"m[{each.group(*names)}]"

    if "YY" in each.tokens:
        latest = (received_year + YEARS_AHEAD) % 100
        century = (received_year + YEARS_AHEAD) // 100
        year = f"case when {part('YY')}::integer <= {latest} then '{century}' else '{century - 1}' end || {part('YY')}"
    else:
        year = part("YYYY")
    month = (
        part("MM")
        if "MM" in each.tokens
        else f"({literal(_MONTH_MAP)}::jsonb ->> lower(left({part('MON', 'MONTH')}, 3)))"
    )
    order = f"{year} || '-' || {month} || '-' || {part('DD')}"
    if each.has_time:
        minute = f" || ':' || {part('MI')}" if "MI" in each.tokens else " || ':00'"
        order += f" || 'T' || {part('HH24')}{minute}" + (f" || ':' || {part('SS')}" if "SS" in each.tokens else "")
    return f"(select {order} from regexp_match({sent}, {literal(each.pattern())}) as m)"
