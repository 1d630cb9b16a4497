"""``frontdoor unread``: what could not be read, and how somebody made sure that no child in it was missed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_role_of_ours, add_json

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from frontdoor.settings import Settings

OUTCOMES = {
    "sent_again": "the sender sent it again, and that was read",
    "told_by_telephone": "the sender told by telephone what was in it, and that is on the record",
    "held_nothing": "the sender says that it held no record of a child",
}
COLUMNS = (
    *("dead_letter_id", "file_id", "delivery_id", "agency_code", "owner_role", "reason_code", "reason", "line_no"),
    *("found_at", "due_at", "is_late"),
)
_ZONE = ZoneInfo("Europe/London")


def add(commands: Any) -> None:
    """Add ``unread list`` and ``unread close``."""
    verbs = commands.add_parser("unread", help="what could not be read, and who followed it up").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    listed = verbs.add_parser("list", help="what nobody has followed up yet, the most urgent first")
    listed.add_argument("--agency", metavar="A")
    add_json(listed)
    listed.set_defaults(run=run_list)

    close = verbs.add_parser("close", help="say how it was followed up, after the sender was rung")
    close.add_argument("letters", type=int, nargs="+", metavar="ID")
    close.add_argument(
        "--outcome",
        required=True,
        choices=OUTCOMES,
        metavar="OUTCOME",
        help="; ".join(map(": ".join, OUTCOMES.items())),
    )
    close.add_argument("--by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    add_json(close)
    close.set_defaults(run=run_close)


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List what waits."""
    from frontdoor import clock, database

    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                select
                    letters.dead_letter_id, letters.file_id, letters.delivery_id, files.agency_code,
                    letters.owner_role, letters.reason_code, letters.reason, letters.line_no,
                    letters.found_at, letters.due_at, letters.due_at < %s
                from quality.dead_letters as letters
                inner join intake.files as files using (file_id)
                where letters.resolved_at is null and files.agency_code = coalesce(%s, files.agency_code)
                order by letters.due_at, letters.dead_letter_id
                """,
                (clock.now(), arguments.agency),
            )
            letters = [dict(zip(COLUMNS, row, strict=True)) for row in cursor]
    finally:
        connection.close()
    if arguments.json:
        emit({"unread": letters})
        return 0
    for each in letters:
        what = f"delivery {each['delivery_id']}" if each["delivery_id"] else f"file {each['file_id']}"
        line = f", line {each['line_no']}" if each["line_no"] else ""
        late = ", LATE" if each["is_late"] else ""
        say(
            f"{each['dead_letter_id']}: {each['agency_code']}, {what}{line}: {each['reason']}"
            f" {each['owner_role']} by {each['due_at'].astimezone(_ZONE):%Y-%m-%d %H:%M}{late}"
        )
    if not letters:
        say("nothing waits")
    return 0


def run_close(arguments: argparse.Namespace, settings: Settings) -> int:
    """Close what was followed up: all that were named, or none."""
    from frontdoor import clock, database

    role = a_role_of_ours("--by", arguments.by)
    wanted = sorted(set(arguments.letters))
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "update quality.dead_letters set resolved_at = %s, outcome = %s, closed_by_role = %s"
                " where dead_letter_id = any(%s) and resolved_at is null returning dead_letter_id",
                (clock.now(), arguments.outcome, role, wanted),
            )
            closed = sorted(letter for (letter,) in cursor)
            if arguments.outcome == "sent_again":
                _refuse_what_did_not_come(cursor, closed)
            if missing := [letter for letter in wanted if letter not in closed]:
                # Raised within the transaction: nothing is closed.
                raise UsageMistake(f"nothing open is numbered {', '.join(map(str, missing))}; nothing was closed")
    finally:
        connection.close()
    document = {"closed": closed, "outcome": arguments.outcome, "closed_by_role": role}
    emit(document) if arguments.json else say(f"closed: {', '.join(map(str, closed))}; {OUTCOMES[arguments.outcome]}")
    return 0


def _refuse_what_did_not_come(cursor: Cursor, letters: list[int]) -> None:
    """Raise where the sender has sent nothing since that could be read."""
    cursor.execute(
        """
        select letters.dead_letter_id
        from quality.dead_letters as letters
        inner join intake.files as files using (file_id)
        where
            letters.dead_letter_id = any(%s)
            and not exists (
                select from intake.deliveries as later
                where
                    later.agency_code = files.agency_code and later.source = files.source
                    and later.received_at > letters.found_at and later.records_loaded > 0
            )
        order by 1
        """,
        (letters,),
    )
    if found := [str(letter) for (letter,) in cursor]:
        raise UsageMistake(f"nothing that can be read has come since: {', '.join(found)}; nothing was closed")
