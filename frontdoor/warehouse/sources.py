"""What dbt is told of the feeds: written from the contracts, never by hand.

    python -m frontdoor.warehouse.sources [--check]

writes, for each feed, `models/staging/<feed>/_<feed>__sources.yml` (the table of read records with every column and
its meaning) and `macros/rooms.sql` (which feeds, work lists and indicators there are, found by the folders they stand
in, so that a new one is a new file and no old file is edited). `--check` writes nothing and exits 1 when a file is not
what it would be.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from frontdoor.contract import Feed, House, load_house
from frontdoor.warehouse.raw_tables import read_columns

PROJECT = Path(__file__).parents[2] / "dbt_project"
NOTE = "Generated from the contracts by python -m frontdoor.warehouse.sources: change the contract, not this file."
STAGED = re.compile(r"ref\('stg_([a-z0-9_]+)'\)")
WIDTH = 120

TECHNICAL = {
    "_agency_code": "Who sent the record.",
    "_delivery_id": "The delivery that the record came in.",
    "_record_no": "The record's place in the file, from 1; unreadable records are counted, so there may be gaps.",
    "_received_at": "When the delivery was received.",
    "record_key": "The sender's own key, as an opaque hash; a record without one has a key that joins it to no other.",
    "content_hash": "Hash of the business content: equal for records that say the same.",
    "has_own_key": "Whether the sender gave the record a key.",
    "child_key": "The agency and its number for the child, as an opaque hash; null without a number.",
    "sender_reference": "The reference by which the sender knows the record.",
    "_agency_kind": "What kind of agency sent the record, as known when it was read; no record can say it of itself.",
    "_account_words": "Fingerprint of the words of the account: equal where case, spaces and punctuation alone differ.",
    "_account_told": "Whether the account is copied from another matter (copied), or stands in many (standard).",
    "_sufficiency": "A letter per element: P present, U unknown with a reason, M missing, N not applicable.",
}


def sources_yaml(feed: Feed) -> str:
    """The dbt source of one feed's read records."""
    meanings = {each.name: each.description for each in feed.properties}
    lines = [
        f"# {NOTE}",
        "version: 2",
        "",
        "sources:",
        "  - name: raw",
        "    schema: raw",
        "    description: Records as sent and as read, made from the contracts by frontdoor.warehouse.",
        "    tables:",
        f"      - name: {feed.code}_read",
        *_folded(8, f"One row per record of the feed {feed.code} ({feed.title}), as read under its contract."),
        "        columns:",
    ]
    for name, kind in read_columns(feed).items():
        meaning = meanings.get(name) or TECHNICAL.get(name)
        if meaning is None:
            meaning = f"How {name.removesuffix('_state')} was read: ok, missing, unmapped or unparsed."
        lines += [
            f"          - name: {name}",
            *_folded(12, meaning),
            f"            data_type: {kind.split(' not null')[0]}",
        ]
    return "\n".join(lines) + "\n"


def rooms_macro(house: House, project: Path = PROJECT) -> str:
    """A macro that returns what there is: feeds with their facts, work lists and indicators."""
    facts = _facts(project)
    feeds = [{"feed": code, "fact": facts[code]} for code in sorted(house.feeds) if code in facts]
    found = {
        "feeds": feeds,
        "measured": [each for each in feeds if house.feeds[each["feed"]].elements],
        "triage": [each for each in feeds if house.feeds[each["feed"]].worklist == "triage"],
        "indicators": sorted(path.stem for path in (project / "models" / "indicators").glob("q[0-9]*.sql")),
    }
    body = json.dumps(found, indent=4).replace('"', "'")
    rooms = textwrap.indent(body, "    ").lstrip()
    return f"{{#- {NOTE} -#}}\n{{% macro rooms() %}}\n    {{{{ return({rooms}) }}}}\n{{% endmacro %}}\n"


def files(house: House, project: Path = PROJECT) -> Mapping[Path, str]:
    """Path -> text of everything that is generated."""
    found = {
        project / "models" / "staging" / feed.code / f"_{feed.code}__sources.yml": sources_yaml(feed)
        for feed in house.feeds.values()
    }
    return {**found, project / "macros" / "rooms.sql": rooms_macro(house, project)}


def main(arguments: list[str] | None = None, *, project: Path = PROJECT) -> int:
    """Write the files, or with `--check` say which are not up to date (exit code 1)."""
    parser = argparse.ArgumentParser(prog="python -m frontdoor.warehouse.sources", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is not up to date")
    options = parser.parse_args(arguments)
    wanted = files(load_house(), project)
    stale = {path: text for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}
    for path, text in stale.items():
        if options.check:
            print(f"{path.relative_to(project.parent)} is not up to date: run python -m frontdoor.warehouse.sources")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if stale and options.check else 0


def _facts(project: Path) -> dict[str, str]:
    """Feed -> name of the fact whose versions are made of that feed's staging."""
    found = {}
    for path in sorted((project / "models" / "core").glob("fct_*_version.sql")):
        for feed in STAGED.findall(path.read_text(encoding="utf-8")):
            found[feed] = path.stem.removesuffix("_version")
    return found


def _folded(indent: int, text: str) -> list[str]:
    margin = " " * indent
    wrapped = textwrap.wrap(" ".join(text.split()), WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return [f"{margin}description: >-", *(f"{margin}  {line}" for line in wrapped)]


if __name__ == "__main__":
    sys.exit(main())
