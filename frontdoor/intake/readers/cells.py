"""What a cell of a workbook says, as text: exactly what is stored, without the noise of binary fractions.

A workbook keeps dates as numbers of days, and only the number format of a cell tells that it is one. A date becomes ISO
text, with a time of day where the format shows one or the number has one. Day 60 of the 1900 system, 29 February 1900,
is no day: it is written as the spreadsheet shows it, and the reading makes nothing of it.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from math import floor, isfinite

from frontdoor.intake.readers.rows import REPLACED

DAY, STAMP, TIME, ELAPSED = "day", "stamp", "time", "elapsed"
# The formats that every workbook has without declaring them (ECMA-376, 18.8.30); the rest of them show numbers.
BUILT_IN = (
    dict.fromkeys((*range(14, 18), *range(27, 32), 36, *range(50, 55), 57, 58), DAY)
    | dict.fromkeys((*range(18, 22), *range(32, 36), 45, 47, 55, 56), TIME)
    | {22: STAMP, 46: ELAPSED}
)
_ASIDE = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!h+\]|m+\]|s+\])[^\]]*\]|[eE][+-]')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
LAST_DAY = 2_958_465
FALSE_LEAP_DAY = 60
EPOCH_1900, EPOCH_1904 = date(1899, 12, 30), date(1904, 1, 1)
DAY_MILLISECONDS = 86_400_000
# A number that is so many digits shorter when rounded to what spreadsheets show has only binary noise behind them; a
# measured one comes out two digits shorter, and one more with every tenth.
NOISE_DIGITS = 6
# A double is written with at most so many digits, and perhaps leading zeros.
MOST_DIGITS = 24
LONGEST_NUMBER = 400


def kind_of(format_id: int, code: str | None) -> str | None:
    """Return whether a number format shows a day, a stamp, a time of day or an elapsed time; None: a number."""
    if code is None:
        return BUILT_IN.get(format_id)
    shown = _ASIDE.sub("", code.split(";")[0]).lower().replace("general", "")
    if "[" in shown:
        return ELAPSED
    has_time = "h" in shown or "s" in shown
    has_day = "y" in shown or "d" in shown or ("m" in shown and not has_time)
    return (STAMP if has_day else TIME) if has_time else DAY if has_day else None


@lru_cache(2**16)
def of_number(stored: str, kind: str | None, is_1904: bool) -> str:
    """Return the text of a stored number; what is no number stays as it stands."""
    stored = stored.strip()
    if kind is None and stored.isdecimal() and stored.isascii():
        return stored
    try:
        number = float(stored)
    except ValueError:
        return stored
    if not isfinite(number) or len(stored) > LONGEST_NUMBER or "_" in stored:
        return stored
    return _plain(stored, number) if kind is None else _of_days(number, kind, is_1904) or _plain(stored, number)


def of_string(stored: str) -> str:
    """Return text with the characters that the format can only write as `_xHHHH_`; NUL and half characters replaced."""
    if "_x" in stored:
        stored = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), stored)
        if not stored.isascii():
            stored = stored.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return stored.replace("\0", REPLACED)


def of_iso(stored: str, kind: str | None) -> str:
    """Return a date that is stored as ISO 8601 text; midnight is left out where the format shows a day."""
    day, _, time = stored.strip().partition("T")
    if not time or (kind in (None, DAY) and not time.strip("0:.Z")):
        return day
    return f"{day} {time}"


def _plain(stored: str, number: float) -> str:
    """Return a number without exponent, and without binary noise where rounding to 15 digits takes much of it away."""
    shown, shortest = f"{number:.15g}", repr(number)
    if sum(map(str.isdigit, stored.upper().partition("E")[0])) > MOST_DIGITS:
        shown = shortest = stored  # not written by a program that counts in doubles
    try:
        text = f"{Decimal(shown if len(shown) + NOISE_DIGITS <= len(shortest) else shortest):f}"
    except InvalidOperation:
        return stored
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _of_days(number: float, kind: str, is_1904: bool) -> str | None:
    """Return ISO text of a number of days; None where the calendar of spreadsheets has no such day."""
    if not 0 <= number < LAST_DAY + 1:
        return None
    days = floor(number)
    milliseconds = round((number - days) * DAY_MILLISECONDS)
    if kind == ELAPSED:
        return _clock(milliseconds, hours=24 * days)
    if kind == TIME and days == 0:
        return _clock(min(milliseconds, DAY_MILLISECONDS - 1))
    if milliseconds == DAY_MILLISECONDS:
        days, milliseconds = days + 1, 0
    day = _day(days, is_1904)
    if day is None:
        return None
    return f"{day} {_clock(milliseconds)}" if milliseconds or kind == STAMP else day


def _day(days: int, is_1904: bool) -> str | None:
    if is_1904:
        return (EPOCH_1904 + timedelta(days)).isoformat() if days <= LAST_DAY - 1462 else None
    if days == 0:
        return "1900-01-00"
    if days == FALSE_LEAP_DAY:
        return "1900-02-29"
    if days > LAST_DAY:
        return None
    return (EPOCH_1900 + timedelta(days + (days < FALSE_LEAP_DAY))).isoformat()


def _clock(milliseconds: int, hours: int = 0) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    text = f"{hours + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest:03d}" if rest else text
