"""``frontdoor label``: words of senders that no mapping knows, and what a person says they mean. Nothing guesses."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, note, say
from frontdoor.cli.shared import a_day, add_json, agency_and_source

if TYPE_CHECKING:
    from frontdoor.contract import AgencyFeed, House
    from frontdoor.settings import Settings

CAREFUL = (
    "Labels are shown as they were sent, and may hold a name typed into the wrong column: never put them into a mail."
)
WAITING, MAPPED = "waiting", "mapped, replay to read it"
COLUMNS = ("agency", "source", "feed", "property", "code_list", "label", "records", "first_seen_at", "last_seen_at")


def add(commands: Any) -> None:
    """Add ``label list`` and ``label map``."""
    label = commands.add_parser("label", help="words of senders that no mapping knows")
    actions = label.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")

    listed = actions.add_parser("list", help="labels that wait for a person; as sent, so behind the login only")
    listed.add_argument("--agency", metavar="A")
    listed.add_argument("--feed", metavar="F", help="the feed or layout by which it came")
    add_json(listed)
    listed.set_defaults(run=run_list)

    mapped = actions.add_parser("map", help="say what a label means, or that it may mean several things")
    mapped.add_argument("--agency", required=True, metavar="A")
    mapped.add_argument("--feed", required=True, metavar="F", help="the feed or layout by which it came")
    mapped.add_argument("--list", dest="code_list", required=True, metavar="CODE_LIST")
    mapped.add_argument("--label", required=True, metavar="TEXT", help="as it was sent")
    means = mapped.add_mutually_exclusive_group(required=True)
    means.add_argument("--to", metavar="CODE", help="the code that it means")
    means.add_argument("--ambiguous", action="store_true", help="it stays unmapped, and no longer waits")
    mapped.add_argument("--on", type=a_day, metavar="DATE", help="in the version of that day; default: today's")
    mapped.add_argument("--replay", action="store_true", help="read the deliveries that carry it again, at once")
    add_json(mapped)
    mapped.set_defaults(run=run_map)


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what waits."""
    from frontdoor import database
    from frontdoor.contract import load_house

    house = load_house()
    connection = database.connect(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('worklists.unmapped_labels') is not null")
            if cursor.fetchone() != (True,):
                raise UsageMistake("the list is made with the first build: frontdoor ingest")
            cursor.execute(
                "select agency_code, source, feed, property, code_list, label, records_count, first_seen_at,"
                " last_seen_at from worklists.unmapped_labels"
                " where coalesce(agency_code = %(agency)s, true) and coalesce(source = %(source)s, true)"
                " order by records_count desc, agency_code, source, property, label",
                {"agency": arguments.agency, "source": arguments.feed},
            )
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor]
    finally:
        connection.close()
    labels = [{**row, "state": _state(house, row)} for row in rows if not _is_ambiguous(house, row)]
    if arguments.json:
        emit({"careful": CAREFUL, "labels": labels})
        return 0
    note(CAREFUL)
    for row in labels:
        seen = f"{row['first_seen_at']:%d %b %Y} to {row['last_seen_at']:%d %b %Y}"
        say(
            f"{row['agency']}/{row['source']} {row['property']} ({row['code_list']}): {row['label']!r},"
            f" {row['records']} records, {seen}: {row['state']}"
        )
    if not labels:
        say("no label waits")
    return 0


def run_map(arguments: argparse.Namespace, settings: Settings) -> int:
    """Record what a label means."""
    from frontdoor import clock
    from frontdoor.contract import ContractError, expectations_folder, load_house
    from frontdoor.contract.editing import agency_file, map_label, mark_ambiguous

    house, on = load_house(), arguments.on or clock.now().date()
    agency, source = agency_and_source(house, arguments.agency, arguments.feed)
    found = _agreements(house, agency, source, arguments.code_list, on)
    if not arguments.label.strip():
        raise UsageMistake("--label wants the text of a label")
    if arguments.to is not None:
        _refuse_code(arguments.code_list, arguments.to, on)
    _refuse_spelling_of_a_code(arguments.code_list, arguments.label, on)
    files = []
    for agreed in found:
        path = agency_file(expectations_folder(), agreed)
        try:
            if arguments.ambiguous:
                mark_ambiguous(house, path, agreed, arguments.code_list, arguments.label)
            else:
                map_label(house, path, agreed, arguments.code_list, arguments.label, arguments.to)
        except ContractError as error:  # speaks of our own declarations
            raise UsageMistake(str(error)) from None
        files.append(path.relative_to(expectations_folder().parent).as_posix())
    replayed = _replay(arguments, settings, agency, source) if arguments.replay else None
    if arguments.json:
        emit({"files": files, "versions": [each.version for each in found], "replayed": replayed})
        return 0
    say(f"written to {', '.join(files)}, version {found[0].version}")
    if replayed is not None:
        say(f"replayed {replayed} deliveries")
    elif not arguments.ambiguous:
        say(f"What came before is read so by: frontdoor replay --agency {agency} --feed {source}")
    return 0


def _agreements(house: House, agency: str, source: str, code_list: str, on: date) -> list[AgencyFeed]:
    every = (house.agency_feed(agency, source, feed, on) for feed in sorted(house.feeds))
    agreed = [each for each in every if each is not None]
    if not agreed:
        raise UsageMistake(f"nothing was agreed with {agency} about {source} for {on}")
    uses = {each.feed: {prop.code_list for prop in house.feeds[each.feed].properties} for each in agreed}
    found = [each for each in agreed if code_list in uses[each.feed]]
    if not found:
        known = sorted({name for names in uses.values() for name in names if name})
        raise UsageMistake(f"no code list of that name is used there; known are: {', '.join(known)}")
    return found


def _refuse_code(code_list: str, code: str, on: date) -> None:
    from frontdoor import reference

    known = reference.codes(code_list, on)
    if code not in known:
        raise UsageMistake(f"{code_list} has no such code on {on}; it has: {', '.join(known)}")


def _refuse_spelling_of_a_code(code_list: str, label: str, on: date) -> None:
    """A code means itself, in capitals too: who sends it has said so, and whoever doubts it asks the sender."""
    from frontdoor import reference
    from frontdoor.quality.reading import labels

    spelled = [code for code in reference.codes(code_list, on) if labels.label(code) == labels.label(label)]
    if spelled:
        raise UsageMistake(
            f"--label is the code {spelled[0]} of {code_list} itself, and is read as that; if the sender means"
            " something else by it, agree on other words: frontdoor contract trial"
        )


def _replay(arguments: argparse.Namespace, settings: Settings, agency: str, source: str) -> int:
    """Replay the deliveries that carry the label; how many."""
    from frontdoor import database, delivery

    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                select distinct deliveries.delivery_id
                from raw.unmapped_labels as labels
                inner join intake.deliveries as deliveries on labels.delivery_id = deliveries.delivery_id
                where
                    deliveries.agency_code = %(agency)s and deliveries.source = %(source)s
                    and labels.code_list = %(code_list)s
                    and (labels.label = %(label)s or reading.label(labels.label) = reading.label(%(label)s))
                """,
                {"agency": agency, "source": source, "code_list": arguments.code_list, "label": arguments.label},
            )
            delivery_ids = [each for (each,) in cursor.fetchall()]
    finally:
        connection.close()
    replayed = delivery.replay(settings, delivery_ids)
    delivery.build(settings)
    return replayed


def _state(house: House, row: dict[str, Any]) -> str:
    from frontdoor.quality.reading.unmapped import knows

    feed, on = house.feeds.get(row["feed"]), row["last_seen_at"].date()
    if feed is None:
        return WAITING
    known = knows(house, feed, row["agency"], row["source"], row["code_list"], row["label"], on)
    return MAPPED if known else WAITING


def _is_ambiguous(house: House, row: dict[str, Any]) -> bool:
    """Called so since the marts last heard of the declarations."""
    from frontdoor.quality.reading.labels import label

    return any(
        label(row["label"]) == label(text) or row["label"] == text
        for agreed in house.agency_feeds
        if (agreed.agency, agreed.source, agreed.feed) == (row["agency"], row["source"], row["feed"])
        for text in agreed.ambiguous.get(row["code_list"], ())
    )
