"""What an agency tells of a contact or a visit, as a record in the house's own terms.

A record begins as a good one (`good.py`: nobody has anything to ask) and takes on the child, the times and the facts of
the town; what the sender leaves out is taken away. `rules` says which rules of the contract must then find it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from frontdoor.simulator import good
from frontdoor.simulator.good import N, Record
from frontdoor.simulator.town.chance import Chance
from frontdoor.simulator.town.people import number_at
from frontdoor.simulator.town.plans import STANDARDS, UNALLOCATED, Plan, Visit
from frontdoor.simulator.town.telling import ELEMENTS, NOT_KNOWN, Contact, on_the_clock

SCHOOL_AGE = 5
SOURCE_CODES = {"health": "3B", "school": "2A", "housing": "4"}
# Which rule asks for an element that was left out.
ASKED_BY = {
    "police": {
        "voice": "POL-016",
        "household": "POL-009",
        "history": "POL-027",
        "rationale": "POL-021",
        "grade": "POL-020",
    },
    "referral": {"voice": "REF-018", "household": "REF-008", "other_children": "REF-009", "history": "REF-021"},
}


def of_contact(contact: Contact, chance: Chance, agency_kind: str) -> Record:
    """The record of a contact."""
    record = _notice(contact, chance) if contact.source == "police" else _referral(contact, chance, agency_kind)
    # Each incident has an account of its own; what is told of its children may be the same.
    record["narrative"] = str(record["narrative"]).replace(N, f"{contact.incident_no}")
    record |= {NOT_KNOWN[element]: "not_known" for element in contact.not_known}
    for element in contact.left_out:
        record |= dict.fromkeys(ELEMENTS[contact.feed][element], "")
    return record


def rules_of(contact: Contact) -> list[tuple[str, str]]:
    """What is wrong with the record of a contact: (defect, rule that must find it)."""
    asked = ASKED_BY[contact.feed]
    # Nobody is asked for the reason of a grade that is not there.
    without_reason = {"rationale"} if "grade" in contact.left_out else set()
    found = [(f"{each}_left_out", asked[each] if each not in without_reason else "") for each in contact.left_out]
    if contact.is_late:
        found.append(("told_late", "POL-012"))
    if has_fact(contact) and grade(contact) == "green":
        found.append(("low_grade_beside_fact", "POL-022"))
    return found


def grade(contact: Contact) -> str | None:
    """The grade that was told."""
    return None if "grade" in contact.left_out else contact.grade


def has_fact(contact: Contact) -> bool:
    """Whether something in it calls for a decision today: a red-line fact, or a child under one."""
    return contact.red_fact is not None or contact.child.age_on(contact.happened_at.date()) < 1


def _notice(contact: Contact, chance: Chance) -> Record:
    record = good.police(chance, contact.sent_at.date())
    home = contact.child.household
    kind = {"domestic_abuse": "domestic", "criminal_exploitation": "exploitation"}.get(contact.harm, "child")
    return (
        record
        | _child(contact, contact.happened_at.date())
        | {
            "notification_ref": f"WP-{contact.incident_no}",
            "incident_ref": f"INC-{contact.incident_no}",
            "notice_type": kind,
            "harm_type": [contact.harm],
            "incident_at": contact.happened_at,
            "known_at": contact.known_at,
            "created_at": contact.sent_at - timedelta(minutes=10),
            "sent_at": contact.sent_at,
            "school_told_at": on_the_clock(contact.sent_at + timedelta(minutes=30)),
            "incident_address": home.address,
            "red_line_facts": [contact.red_fact or "none"],
            "child_risk_grade": contact.grade,
            "suspect_known": f"{home.other_adult} {home.surname}",
            "child_left_with": f"{home.adult}, {home.relation}",
            "agreement_to_service": contact.agreement,
            "reason_not_sought": "" if contact.agreement != "not_sought" else record.get("reason_not_sought", ""),
        }
    )


def _referral(contact: Contact, chance: Chance, agency_kind: str) -> Record:
    record = good.referral(chance, contact.sent_at.date()) | good.BY_KIND.get(agency_kind, {})
    home, happened = contact.child.household, contact.happened_at
    if contact.source == "school":
        record["sender_service"] = home.school
    return (
        record
        | _child(contact, happened.date())
        | {
            "contact_reference": f"{contact.source[0].upper()}-{contact.contact_no}",
            "source_code": SOURCE_CODES[contact.source],
            "concern_type": [contact.harm],
            "event_at": happened,
            "known_at": contact.known_at,
            "sent_at": contact.sent_at,
            "seen_at": happened + timedelta(minutes=20),
            "agreement_asked_at": happened + timedelta(hours=1),
            "agreement_to_service": contact.agreement,
            "person_of_concern": f"{home.other_adult} {home.surname}",
        }
    )


def _child(contact: Contact, on: date) -> Record:
    child = contact.child
    home, age = child.household, child.age_on(on)
    others = [each for each in home.children if each is not child and each.dob < on and each.age_on(on) < 18]
    return {
        "child_ref": number_at(contact.agency, child) if contact.agency else "",
        "forename": child.forename,
        "surname": child.surname,
        "dob": child.dob,
        "sex": child.sex,
        "ethnicity": child.ethnicity,
        "nhs_number": child.nhs_number,
        "upn": child.upn if age >= SCHOOL_AGE else "",
        "address": home.address,
        "postcode": home.postcode,
        "school_or_setting": home.school if age >= SCHOOL_AGE else "At home with the carer",
        "gp": home.surgery,
        "household_adults": [f"{home.adult} {home.surname}, {home.relation}, PR yes, lives there"],
        "other_children": [f"{each.forename} {each.surname}, {each.age_on(on)}, at home" for each in others]
        or ["none"],
    }


def of_visit(plan: Plan, visit: Visit, chance: Chance, known_before: datetime) -> Record:
    """The record of a visit as the case system has it at an instant: planned, or made."""
    is_made = visit.recorded_at is not None and visit.recorded_at < known_before
    day = visit.planned_on
    ended = plan.ended_on is not None and plan.ended_on < known_before.date()
    worker = plan.worker.worker_id if plan.worker else UNALLOCATED
    record: Record = good.visit(chance, day) | {
        "visit_id": f"V{visit.visit_no}",
        "child_id_council": plan.child.council_id,
        "plan_type": plan.kind,
        "plan_started": plan.started_on,
        "plan_ended": plan.ended_on if ended else "",
        "standard_id": STANDARDS[plan.kind][0],
        "due_on": visit.due_on,
        "due_set_at": visit.due_set_at,
        "planned_at": datetime.combine(day, datetime.min.time()) + timedelta(hours=9),
        "team_code": plan.team,
        "worker_id": visit.worker_id or worker,
        "worker_role": visit.worker_role or (plan.worker.role if plan.worker else "duty_worker"),
        "is_allocated": "yes" if visit.worker_id or plan.worker else "no",
        "next_visit_at": "",
    }
    if not is_made:
        blank = dict.fromkeys(("actual_at", "ended_at", "bedroom_seen", "next_action"), "")
        unseen = dict.fromkeys(("child_seen", "seen_alone", "views_recorded", "new_concern"), "no")
        return record | blank | unseen | {"status": "planned", "recorded_at": visit.due_set_at}
    record |= {"actual_at": visit.made_at, "ended_at": visit.ended_at, "recorded_at": visit.recorded_at}
    if not visit.is_seen:
        unseen = dict.fromkeys(("child_seen", "seen_alone", "views_recorded"), "no")
        record |= unseen | {"status": "no_access", "mode": "home", "not_seen_reason": "no_answer", "bedroom_seen": ""}
        record |= {"whereabouts_known": "yes", "next_action": "visit_again"}
    return record
