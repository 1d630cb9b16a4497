"""``frontdoor answer`` and ``frontdoor dispute``: what a sender says to its findings, and what we say to that.

A sender's words are printed only where they are asked for: they may name a child. Nothing here changes a finding, a
verdict, a list or an indicator.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frontdoor.cli.output import UsageMistake, emit, say
from frontdoor.cli.shared import add_json

if TYPE_CHECKING:
    from frontdoor.quality.disputes import Dispute
    from frontdoor.settings import Settings

OUTCOMES = ("upheld", "rejected")
STEPS = ("waiver", "rule_withdrawal", "label_mapping")


def add(commands: Any) -> None:
    """Add ``answer``, and ``dispute`` with list and settle."""
    answer = commands.add_parser("answer", help="take a receipt back that its sender has answered: workbook or JSON")
    answer.add_argument("file", type=Path, metavar="FILE")
    answer.add_argument("--agency", required=True, metavar="A", help="who sent it back")
    add_json(answer)
    answer.set_defaults(run=run_answer)

    verbs = commands.add_parser("dispute", help="what senders say is wrong about a finding").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    listed = verbs.add_parser("list", help="disputes that wait for us; with --all every answer")
    listed.add_argument("--agency", metavar="A")
    listed.add_argument("--all", action="store_true", help="also what is settled, and what needs nothing")
    listed.add_argument("--with-reasons", action="store_true", help="the senders' words; they may name a child")
    add_json(listed)
    listed.set_defaults(run=run_list)

    settled = verbs.add_parser(
        "settle", help="uphold a dispute, and say what follows, or reject it; the sender reads why"
    )
    settled.add_argument("dispute", type=int, metavar="ID")
    settled.add_argument("--outcome", required=True, choices=OUTCOMES)
    settled.add_argument("--next", choices=STEPS, help="with upheld: what follows")
    settled.add_argument("--reason", required=True, metavar="TEXT", help="stands in the receipt: no detail of a child")
    settled.add_argument("--by", required=True, metavar="ROLE", help="a role of ours, never a person's name")
    add_json(settled)
    settled.set_defaults(run=run_settle)


def run_answer(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take the answers of a file."""
    from frontdoor import database
    from frontdoor.contract import load_house
    from frontdoor.delivery import answering

    house = load_house()
    if arguments.agency not in house.agencies:
        raise UsageMistake(f"no agency of that name is known; known are: {', '.join(sorted(house.agencies))}")
    connection = database.connect(settings)
    try:
        delivery_id, written, same = answering.take(connection, house, arguments.agency, arguments.file)
    except answering.Refused as refusal:
        raise UsageMistake(f"nothing was taken: {refusal}") from None
    finally:
        connection.close()
    if arguments.json:
        emit({"delivery_id": delivery_id, "answers_taken": written, "answers_known": same})
    else:
        say(f"delivery {delivery_id}: {written} answers taken, {same} known before")
    return 0


def run_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List disputes."""
    from frontdoor import database
    from frontdoor.quality import disputes

    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            found = disputes.known(cursor, agency=arguments.agency, only_open=not arguments.all)
    finally:
        connection.close()
    documents = [_document(each, with_reasons=arguments.with_reasons) for each in found]
    if arguments.json:
        emit({"disputes": documents})
        return 0
    for each in documents:
        say(_line(each))
    if not documents:
        say("no answer" if arguments.all else "no open dispute")
    return 0


def run_settle(arguments: argparse.Namespace, settings: Settings) -> int:
    """Settle a dispute, and say what follows."""
    from frontdoor import database
    from frontdoor.contract.model import RECIPIENT_ROLES
    from frontdoor.quality import disputes

    if (arguments.outcome == "upheld") != (arguments.next is not None):
        raise UsageMistake(f"--next goes with --outcome upheld: one of {', '.join(STEPS)}")
    roles = [role for role in RECIPIENT_ROLES if role != "liaison"]
    if arguments.by not in roles:
        raise UsageMistake(f"--by wants a role of ours, never a name: {', '.join(roles)}")
    said = " ".join(arguments.reason.split())
    if not 0 < len(said) <= disputes.SETTLEMENT_MAX_CHARACTERS:
        raise UsageMistake(f"--reason wants one sentence of at most {disputes.SETTLEMENT_MAX_CHARACTERS} characters")
    connection = database.connect(settings)
    try:
        with connection, connection.cursor() as cursor:
            settled = disputes.settle(
                cursor, arguments.dispute, outcome=arguments.outcome, next_step=arguments.next, settlement=said,
                by_role=arguments.by,
            )  # fmt: skip
            found = disputes.known(cursor, dispute_id=arguments.dispute)
    finally:
        connection.close()
    if not settled:
        raise UsageMistake(f"there is no open dispute {arguments.dispute}")
    document = {**_document(found[0], with_reasons=False), "what_follows": what_follows(found[0])}
    if arguments.json:
        emit(document)
    else:
        say(_line(document))
        say(document["what_follows"])
    return 0


def what_follows(dispute: Dispute) -> str:
    """Return what is to be done after a dispute was settled; settling itself changes nothing."""
    whose, rule = f"--agency {dispute.agency_code} --feed {dispute.feed}", dispute.rule_id
    record = f" --delivery {dispute.delivery_id} --record {dispute.record_no}" if dispute.record_no else ""
    return {
        "waiver": f"Next: frontdoor waiver grant {whose} --rule {rule}{record}"
        " --reason TEXT --approved-by ROLE --until DATE",
        "rule_withdrawal": f"Next: take {rule} out of a proposed contract and try it:"
        f" frontdoor contract trial {whose} --proposed FILE; then replay",
        "label_mapping": f"Next: frontdoor label map {whose} --list CODE_LIST --label TEXT --to CODE --replay",
        None: "Nothing follows: the finding stands.",
    }[dispute.next_step]


def _document(dispute: Dispute, *, with_reasons: bool) -> dict[str, Any]:
    said = asdict(dispute)
    return {
        **(said if with_reasons else {name: each for name, each in said.items() if name != "reason"}),
        "state": dispute.state,
    }


def _line(document: dict[str, Any]) -> str:
    where = "" if document["record_no"] is None else f", record {document['record_no']}"
    until = (
        f", to be settled by {document['due_at']:%Y-%m-%d} ({document['owner_role']})"
        if document["state"] == "open"
        else ""
    )
    follows = f", next: {document['next_step']}" if document["next_step"] else ""
    text = f": {document['reason']}" if "reason" in document else ""
    return (
        f"{document['answer']} {document['dispute_id']}: {document['agency_code']}/{document['feed']},"
        f" {document['rule_id']} in delivery {document['delivery_id']}{where},"
        f" {document['state']}{until}{follows}{text}"
    )
