"""The small files with which a new feed or agency starts: right as they are written, and meant to be changed.

Nothing that stands is edited or written over.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from string import Template

from frontdoor.contract import House
from frontdoor.contract.model import AGENCY_KINDS

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


class CannotStart(ValueError):
    """The names do not allow it; the sentence says what would."""


def feed_files(
    house: House, feed: str, agency: str, *, title: str, prefix: str, valid_from: date, root: Path
) -> dict[Path, str]:
    """Path -> text of a new feed that one agency sends: contract, agency file, good record and cases.

    root: the checkout. prefix: three capital letters, with which ids of its rules begin. Raises CannotStart.
    """
    _refuse_name(feed, house.sources(), "feed or layout")
    if agency not in house.agencies:
        raise CannotStart(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    taken = {rule.rule_id[:3] for each in house.feeds.values() for rule in each.rules}
    taken |= {rule.rule_id[:3] for rule in house.file_rules}
    if not re.fullmatch(r"[A-Z]{3}", prefix) or prefix in taken:
        raise CannotStart(f"ids of rules begin with three capital letters that no other feed has, not {prefix}")
    words = {
        "feed": feed,
        "id": feed.replace("_", "-"),
        "title": title,
        "prefix": prefix,
        "agency": agency,
        "valid_from": valid_from.isoformat(),
    }
    cases = root / "tests" / "feeds" / feed
    return {
        root / "expectations" / feed / "contract.odcs.yaml": _filled("contract.odcs.yaml", words),
        root / "expectations" / feed / "agencies" / f"{agency}.yaml": _filled("agency_feed.yaml", words),
        cases / "good.csv": _filled("good.csv", words),
        cases / "cases.yaml": _filled("cases.yaml", words),
    }


def agency_files(
    house: House, agency: str, feed: str, *, name: str, kind: str, area_code: str, valid_from: date, root: Path
) -> dict[Path, str]:
    """Path -> text of a new agency that sends one feed: who it is, and how it sends. Raises CannotStart."""
    _refuse_name(agency, house.agencies, "agency")
    if feed not in house.feeds:
        raise CannotStart(f"no feed of that name is known; known are: {', '.join(sorted(house.feeds))}")
    if kind not in AGENCY_KINDS:
        raise CannotStart(f"an agency is one of {', '.join(AGENCY_KINDS)}")
    words = {
        "agency": agency,
        "name": name,
        "kind": kind,
        "area_code": area_code,
        "valid_from": valid_from.isoformat(),
    }
    return {
        root / "expectations" / "agencies" / f"{agency}.yaml": _filled("agency.yaml", words),
        root / "expectations" / feed / "agencies" / f"{agency}.yaml": _filled("agency_feed.yaml", words),
    }


def write(files: Mapping[Path, str]) -> None:
    """Write them all, or none where one stands already (CannotStart)."""
    for path in files:
        if path.exists():
            raise CannotStart(f"{path.name} stands in {path.parent.name}/ already; it is left as it is")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _filled(template: str, words: Mapping[str, str]) -> str:
    quoted = {name: _plain(text) for name, text in words.items()}
    return Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(quoted)


def _plain(text: str) -> str:
    """Text that stands in YAML without quotes."""
    if not re.fullmatch(r"[\w][\w .,()&'/-]*", text) or ": " in text:
        raise CannotStart(f"{text!r:.60} wants letters, digits, spaces and no other marks than . , ( ) & ' / -")
    return text


def _refuse_name(name: str, known: Collection[str], what: str) -> None:
    if not NAME.fullmatch(name):
        raise CannotStart(f"the name of a {what} is 2 to 40 small letters, digits and _, a letter first")
    if name in known:
        raise CannotStart(f"a {what} of that name is there already")
