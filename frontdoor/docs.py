"""Tables in README.md and CONTRIBUTING.md that are made from the sources they tell of: contracts, commands, catalogue.

A table stands between two markers::

    <!-- generated: feeds -->
    ...
    <!-- end generated -->

``python -m frontdoor.docs`` writes them anew; ``--check`` writes nothing, and exits with 1 and the difference where a
file says something else than its source.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from frontdoor.contract import House, load_house
from frontdoor.contract.model import FORMATS

ROOT = Path(__file__).resolve().parents[1]
FILES = ("README.md", "CONTRIBUTING.md")
CATALOGUE = ROOT / "dbt_project" / "seeds" / "indicator_catalogue.csv"
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z_]+) -->\n)(?P<body>.*?)(<!-- end generated -->)", re.DOTALL)


class UnknownTable(LookupError):
    """A marker names a table that nothing makes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check; 1 if a checked file differs."""
    parser = argparse.ArgumentParser(prog="python -m frontdoor.docs", description="Regenerate tables in the documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 with the difference")
    arguments = parser.parse_args(argv)
    differs = False
    for path in (ROOT / name for name in FILES):
        if not path.exists():
            continue
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if before == after:
            continue
        differs = True
        if arguments.check:
            sys.stdout.writelines(
                difflib.unified_diff(
                    before.splitlines(keepends=True),
                    after.splitlines(keepends=True),
                    path.name,
                    f"{path.name}, renewed",
                )
            )
        else:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name} renewed")
    if differs and arguments.check:
        print("Run `python -m frontdoor.docs` and commit what it writes.", file=sys.stderr)
        return 1
    return 0


def renewed(text: str) -> str:
    """Return a document with every generated table written anew. Raises UnknownTable."""

    def written(block: re.Match[str]) -> str:
        make = TABLES.get(block["name"])
        if make is None:
            raise UnknownTable(f"no table is called {block['name']!r}; there are: {', '.join(sorted(TABLES))}")
        return f"{block[1]}{make(load_house())}\n{block[4]}"

    return BLOCK.sub(written, text)


def feeds(house: House) -> str:
    """Return one row per feed and layout."""
    rows = []
    for source in house.sources():
        layout = house.layouts.get(source)
        thing = layout or house.feeds[source]
        what = f"layout for {', '.join(layout.feeds)}" if layout else house.feeds[source].delivery_mode
        rules = "" if layout else str(len(house.feeds[source].rules))
        senders = ", ".join(code for code in sorted(house.agencies) if house.accepts(code, source))
        rows.append((f"`{source}`", thing.title, what, senders, rules))
    return table(("feed or layout", "title", "kind", "sent by", "rules"), rows)


def formats(house: House) -> str:
    """Return one row per format that may be agreed: what is understood under it, and who sends it."""
    sent: dict[str, list[str]] = {}
    for agreed in house.agency_feeds:
        form = house.layouts[agreed.source].format if agreed.source in house.layouts else agreed.format
        sent.setdefault(form, []).append(f"{agreed.agency} ({agreed.source})")
    return table(
        ("format", "what is read", "sent by"),
        ((f"`{form}`", UNDERSTOOD[form], ", ".join(sorted(set(sent.get(form, []))))) for form in FORMATS),
    )


def verdicts(house: House) -> str:
    """Return one row per verdict."""
    return table(("verdict", "what came", "what becomes of it"), ((f"`{v}`", *said) for v, said in VERDICTS.items()))


def reasons(house: House) -> str:
    """Return one row per reason for which a file or a line could not be read."""
    from frontdoor.intake.reasons import SENTENCES

    return table(
        ("reason", "what is said to whoever rings the sender, and to the sender in its receipt"),
        ((f"`{k}`", v) for k, v in SENTENCES.items()),
    )


def rules(house: House) -> str:
    """Return one row per rule of all contracts."""
    every = [*house.file_rules, *(rule for code in sorted(house.feeds) for rule in house.feeds[code].rules)]
    return table(
        ("rule", "severity", "about", "sentence", "what to do"),
        ((r.rule_id, r.severity, r.score_dimension, r.sentence, r.what_to_do) for r in every),
    )


def commands(house: House) -> str:
    """Return one row per command and action of ``frontdoor``."""
    from frontdoor.cli.parser import build

    return table(("command", "what it does"), _commands(build(), "frontdoor"))


def indicators(house: House) -> str:
    """Return one row per indicator of the catalogue."""
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        rows = [
            (f"`{r['indicator_id']}`", r["title"], r["question"], r["counter_measure"]) for r in csv.DictReader(file)
        ]
    return table(("indicator", "title", "the question it answers", "read beside"), rows)


# Every format that may be agreed has its words here; a new one without them fails the check of the documents.
UNDERSTOOD = {
    "csv": "any common delimiter, quoting, line end and encoding; titles above the headers; headers that come again",
    "json": "a list of objects, or an object that holds one",
    "jsonl": "one object a line",
    "xml": "a published layout, by mapping",
    "xlsx": "every sheet that names columns we know; values as stored, nothing evaluated",
}
VERDICTS = {
    "accepted": ("every record, and nothing to mend", "on the lists; no letter"),
    "accepted_with_findings": (
        "every record, some with something to mend",
        "on the lists, defects beside them; a letter",
    ),
    "partly_read": (
        "some records, lines or parts could not be read",
        "the rest on the lists; dead letters with an owner",
    ),
    "unreadable": ("nothing could be read", "a dead letter: somebody rings the sender within the hour"),
}

TABLES: dict[str, Callable[[House], str]] = {
    "feeds": feeds,
    "formats": formats,
    "verdicts": verdicts,
    "reasons": reasons,
    "rules": rules,
    "commands": commands,
    "indicators": indicators,
}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _commands(parser: argparse.ArgumentParser, name: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        told = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for word, child in action.choices.items():
            deeper = _commands(child, f"{name} {word}")
            found.extend(deeper or [(f"`{name} {word}{_arguments(child)}`", told.get(word, ""))])
    return found


def _arguments(parser: argparse.ArgumentParser) -> str:
    said = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        value = f" {action.metavar}" if action.metavar and action.option_strings else ""
        word = f"{action.option_strings[-1]}{value}" if action.option_strings else str(action.metavar or action.dest)
        said.append(word if action.required else f"[{word}]")
    return "".join(f" {word}" for word in said)


if __name__ == "__main__":
    sys.exit(main())
