"""``frontdoor erase``: one child, from everywhere. A dry run unless told to apply; ids and counts, never a value."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_role_of_ours, add_json

if TYPE_CHECKING:
    from frontdoor.delivery.erasing import Plan, Selection
    from frontdoor.settings import Settings

LIMITS = (
    "Still to forget it by themselves: backups until their cycle (a restore of one erases anew), Postgres'"
    " log until it is recycled, and disks and object stores that keep old versions."
)


def add(commands: Any) -> None:
    """Add ``erase`` with find, child, resume and again."""
    verbs = commands.add_parser("erase", help="erase one child on request, from everywhere").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    find = verbs.add_parser("find", help="which records those of a child are: ids and counts")
    _add_selection(find)
    find.add_argument("--agency", metavar="A", help="with --reference-stdin")
    find.add_argument(
        "--reference-stdin", action="store_true", help="the agency's number of the child, read from standard input"
    )
    add_json(find)
    find.set_defaults(run=run_find)

    child = verbs.add_parser("child", help="what would go; with --apply it goes")
    _add_selection(child)
    child.add_argument("--reason", required=True, metavar="TEXT", help="kept for good: no value of the child's")
    child.add_argument("--by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    child.add_argument("--handed-to", metavar="TEXT", help="to whom a child who still waits was handed on by telephone")
    child.add_argument("--evidence", metavar="TEXT", help="with --handed-to: how that can be shown")
    how = child.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="do it; it cannot be taken back")
    how.add_argument("--dry-run", action="store_true", help="say what would go (the default)")
    add_json(child)
    child.set_defaults(run=run_child)

    resume = verbs.add_parser("resume", help="do what was asked and is not done: after a crash, or a restored backup")
    add_json(resume)
    resume.set_defaults(run=run_resume)

    again = verbs.add_parser("again", help="who was erased and was sent again; --noted takes note")
    again.add_argument("--noted", action="store_true", help="somebody has seen it and decided")
    again.add_argument("--by", metavar="ROLE", help="with --noted: a role of ours")
    add_json(again)
    again.set_defaults(run=run_again)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--key", action="append", default=[], metavar="CHILD_KEY", help="the child's key (child_key)")
    parser.add_argument(
        "--record",
        action="append",
        default=[],
        type=_a_place,
        metavar="DELIVERY:NO",
        help="a record, and no other than those that are named",
    )


def _a_place(text: str) -> tuple[int, int]:
    try:
        delivery_id, record_no = text.split(":")
        return int(delivery_id), int(record_no)
    except ValueError:
        raise argparse.ArgumentTypeError("wants DELIVERY:NO, such as 17:3") from None


def run_find(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say which records those are."""
    if arguments.reference_stdin != bool(arguments.agency):
        raise UsageMistake("--agency and --reference-stdin go together")
    reference = sys.stdin.readline().strip() if arguments.reference_stdin else None
    plan = _planned(settings, _selection(arguments, arguments.agency, reference))
    document = _document(plan)
    if arguments.json:
        emit(document)
        return 0
    for each in document["records"]:
        say(
            f"{each['delivery_id']}:{each['record_no']} {each['agency_code']}/{each['feed']}, child {each['child_key']}"
        )
    _say_plan(plan)
    return 0


def run_child(arguments: argparse.Namespace, settings: Settings) -> int:
    """Erase, or say what would go."""
    from frontdoor.delivery import erasing

    role = a_role_of_ours("--by", arguments.by)
    if (arguments.handed_to is None) != (arguments.evidence is None):
        raise UsageMistake("--handed-to and --evidence go together")
    selection = _selection(arguments, None, None)
    is_handed_on = arguments.handed_to is not None
    if not arguments.apply:
        plan = _planned(settings, selection)
        obstacles = plan.obstacles(is_handed_on=is_handed_on)
        if arguments.json:
            emit({**_document(plan), "obstacles": obstacles, "applied": False})
            return 0
        _say_plan(plan)
        for each in obstacles:
            say(f"Not yet: {each}")
        say("Nothing was erased: this was a dry run (--apply).")
        return 0
    try:
        plan, request = erasing.erase(
            settings,
            selection,
            reason=arguments.reason,
            by_role=role,
            handed_to=arguments.handed_to,
            evidence=arguments.evidence,
        )
    except erasing.Refused as refused:
        raise UsageMistake(f"{refused} Nothing was erased.") from None
    if arguments.json:
        emit({**_document(plan), "obstacles": [], "applied": True, "erasure_id": request.erasure_id})
        return 0
    _say_plan(plan)
    say(f"Erased, as request {request.erasure_id}. {LIMITS}")
    return 0


def run_resume(arguments: argparse.Namespace, settings: Settings) -> int:
    """Finish what was asked."""
    from frontdoor.delivery import erasing

    done = [each.erasure_id for each in erasing.resume(settings)]
    if arguments.json:
        emit({"done": done})
    else:
        say(f"Done: {', '.join(done)}." if done else "Nothing that was asked is left to do.")
    return 0


def run_again(arguments: argparse.Namespace, settings: Settings) -> int:
    """List who came again."""
    from frontdoor import database
    from frontdoor.delivery import erasing

    if arguments.noted != bool(arguments.by):
        raise UsageMistake("--noted and --by go together")
    role = a_role_of_ours("--by", arguments.by) if arguments.noted else None
    connection = database.connect(settings)
    try:
        erasing.look_for_returned(connection, settings)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select came.erasure_id::text, came.delivery_id, came.record_no, came.found_at, erasures.by_role"
                " from intake.erased_came_again as came inner join intake.erasures as erasures using (erasure_id)"
                " where came.noted_by_role is null order by came.delivery_id, came.record_no"
            )
            names = ("erasure_id", "delivery_id", "record_no", "found_at", "asked_by_role")
            came = [dict(zip(names, row, strict=True)) for row in cursor]
            if role:
                cursor.execute(
                    "update intake.erased_came_again set noted_by_role = %s where noted_by_role is null", (role,)
                )
    finally:
        connection.close()
    if arguments.json:
        emit({"came_again": came, "noted_by_role": role})
        return 0
    for each in came:
        say(
            f"{each['delivery_id']}:{each['record_no']} is of a child who was erased ({each['erasure_id']},"
            f" {each['asked_by_role']}) and was sent again. It is on the list."
        )
    if not came:
        say("Nobody who was erased was sent again.")
    return 0


def _selection(arguments: argparse.Namespace, agency: str | None, reference: str | None) -> Selection:
    from frontdoor.delivery.erasing import Selection

    ways = [bool(arguments.key), bool(arguments.record), reference is not None]
    if sum(ways) != 1:
        raise UsageMistake("say which child in one way: --key, or --record")
    return Selection(tuple(arguments.key), agency, reference, tuple(arguments.record))


def _planned(settings: Settings, selection: Selection) -> Plan:
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.delivery import erasing

    connection = database.connect(settings)
    try:
        return erasing.plan_of(connection, load_house(), selection)
    finally:
        connection.close()


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "records": [
            {
                "delivery_id": each.delivery_id,
                "record_no": each.record_no,
                "agency_code": each.agency,
                "feed": each.feed,
                "child_key": each.child_key,
                "received_at": each.received_at,
            }
            for each in plan.records
        ],
        "files": list(plan.files),
        "relations": plan.relations,
        "waiting": [f"{one}:{no}" for one, no in plan.waiting],
        "mentioned_in": [f"{one}:{no}" for one, no in plan.mentions],
    }


def _say_plan(plan: Plan) -> None:
    say(f"{len(plan.records)} records in {len(plan.files)} archived files:")
    for name, count in plan.relations.items():
        say(f"  {name}: {count}")
    say("  archive: each file is replaced by what was read of the other records; hash received, tombstones stay")
    say("  indicators and scores: stay as they were counted")
    if plan.mentions:
        listed = " ".join(f"{one}:{no}" for one, no in plan.mentions[:20])
        more = f" and {len(plan.mentions) - 20} more" if len(plan.mentions) > 20 else ""
        say(f"  stays: {listed}{more} say one of this child's values, and are of others. Look at them.")
