"""``frontdoor retention`` and ``frontdoor hold``: what is past its time, and what is kept longer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import a_role_of_ours, add_json

if TYPE_CHECKING:
    from frontdoor.settings import Settings


def add(commands: Any) -> None:
    """Add ``retention``, and ``hold`` with place, list and lift."""
    retention = commands.add_parser("retention", help="what is past its time; with --apply it goes")
    how = retention.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="do it; it cannot be taken back")
    how.add_argument("--dry-run", action="store_true", help="say what would go (the default)")
    add_json(retention)
    retention.set_defaults(run=run_retention)

    verbs = commands.add_parser("hold", help="keep longer than the policy says").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    place = verbs.add_parser("place", help="let nothing of it go, by age or by request")
    what = place.add_mutually_exclusive_group(required=True)
    what.add_argument("--delivery", type=int, metavar="ID")
    what.add_argument("--agency", metavar="A")
    what.add_argument("--child", metavar="CHILD_KEY")
    place.add_argument("--reason", required=True, metavar="TEXT")
    place.add_argument("--by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    add_json(place)
    place.set_defaults(run=run_place)

    listed = verbs.add_parser("list", help="the holds that stand")
    add_json(listed)
    listed.set_defaults(run=run_list)

    lift = verbs.add_parser("lift", help="end a hold")
    lift.add_argument("hold", type=int, metavar="ID")
    lift.add_argument("--by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    add_json(lift)
    lift.set_defaults(run=run_lift)


def run_retention(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say what is past its time, or let it go."""
    from frontdoor import database, delivery
    from frontdoor.delivery import retaining

    try:
        if arguments.apply:
            found = retaining.apply(settings)
            delivery.build(settings, even_if_nothing=True)
        else:
            connection = database.connect(settings)
            try:
                found = retaining.look(connection)
            finally:
                connection.close()
    except retaining.NotBuilt as error:
        raise UsageMistake(str(error)) from None
    if arguments.json:
        emit({**found.document(), "applied": arguments.apply})
        return 0
    for policy, before in found.cutoffs.items():
        say(f"{policy}: from before {before:%B %Y}")
    for each in found.going:
        size = "" if each.size_bytes is None else f", {each.size_bytes:,} bytes"
        say(f"  {each.what}: {each.count:,}, received {each.oldest:%Y-%m} to {each.newest:%Y-%m}{size}")
    if found.partitions:
        say(f"  whole months: {', '.join(found.partitions)}")
    for why, ids in found.kept.items():
        say(f"  kept because of {retaining.KEPT_BECAUSE[why]}: {len(ids)} deliveries ({_some(ids)})")
    if not found.going:
        say("Nothing is past its time.")
    elif arguments.apply:
        say("It is gone. The ledger, the hashes and what was counted stay.")
    else:
        say("Nothing was deleted: this was a dry run (--apply).")
    return 0


def run_place(arguments: argparse.Namespace, settings: Settings) -> int:
    """Place a hold."""
    from frontdoor import clock, database

    role = a_role_of_ours("--by", arguments.by)
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            if arguments.delivery is not None:
                cursor.execute("select 1 from intake.deliveries where delivery_id = %s", (arguments.delivery,))
                if cursor.fetchone() is None:
                    raise UsageMistake(f"there is no delivery {arguments.delivery}")
            cursor.execute(
                "insert into intake.holds (delivery_id, agency_code, child_key, reason, by_role, placed_at)"
                " values (%s, %s, %s, %s, %s, %s) returning hold_id",
                (arguments.delivery, arguments.agency, arguments.child, arguments.reason, role, clock.now()),
            )
            ((hold_id,),) = cursor.fetchall()
    finally:
        connection.close()
    if arguments.json:
        emit({"hold_id": hold_id})
    else:
        say(f"Hold {hold_id} stands until it is lifted: frontdoor hold lift {hold_id} --by ROLE")
    return 0


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the holds that stand."""
    from frontdoor import database

    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select hold_id, delivery_id, agency_code, child_key, reason, by_role, placed_at from intake.holds"
                " where lifted_at is null order by hold_id"
            )
            names = ("hold_id", "delivery_id", "agency_code", "child_key", "reason", "by_role", "placed_at")
            holds = [dict(zip(names, row, strict=True)) for row in cursor]
    finally:
        connection.close()
    if arguments.json:
        emit({"holds": holds})
        return 0
    for each in holds:
        what = next(f"{name} {each[key]}" for name, key in _WHAT if each[key] is not None)
        say(f"{each['hold_id']}: {what}, since {each['placed_at']:%Y-%m-%d}, by {each['by_role']}: {each['reason']}")
    if not holds:
        say("No hold stands.")
    return 0


_WHAT = (("delivery", "delivery_id"), ("agency", "agency_code"), ("child", "child_key"))


def run_lift(arguments: argparse.Namespace, settings: Settings) -> int:
    """Lift a hold."""
    from frontdoor import clock, database

    role = a_role_of_ours("--by", arguments.by)
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "update intake.holds set lifted_at = %s, lifted_by_role = %s where hold_id = %s and lifted_at is null",
                (clock.now(), role, arguments.hold),
            )
            if not cursor.rowcount:
                raise UsageMistake(f"no hold {arguments.hold} stands")
    finally:
        connection.close()
    emit({"lifted": arguments.hold}) if arguments.json else say(f"Hold {arguments.hold} is lifted.")
    return 0


def _some(ids: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, ids[:10]))
    return listed if len(ids) <= 10 else f"{listed} and {len(ids) - 10} more"
