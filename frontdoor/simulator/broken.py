"""For each rule, what to change in a good record so that it fails: as few cells as can be, and no other rule with it.

Some rules cannot be seen in one record. The writer gives a second record the number of the first (`SHARED`), spoils
two records in the same way (`PAIRED`), gives records one account, of which the later one (`COPIED`) or each of many
(`STANDARD`) is found, tells what the record before told under a number of its own (`TWICE`), makes a
record another child's under the number that it has in the good file of the same seed (`REUSED`), changes what that file
said of it (`CHANGED`), or leaves it out (`GONE`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from frontdoor.simulator.good import N, Record
from frontdoor.simulator.invented import ACCOUNTS


@dataclass(frozen=True)
class Sent:
    """Text that goes into the file as it is, not translated into the agency's words."""

    text: str


SHARED = frozenset({"POL-001", "REF-002", "VIS-001"})
PAIRED = frozenset({"REF-011", "VIS-016"})
REUSED = frozenset({"POL-002"})
TWICE = frozenset({"POL-003"})
CHANGED = frozenset({"VIS-017"})
GONE = frozenset({"VIS-014"})
COPIED = frozenset({"POL-031", "REF-026"})
STANDARD = frozenset({"POL-032", "REF-027"})
# In how many records the same account then stands; standard is what stands in so many matters.
TIMES = {rule: 2 for rule in COPIED} | {rule: 5 for rule in STANDARD}
AFTER_THE_GOOD = REUSED | CHANGED | GONE
SHORT = "Argument at home, child there."
SERIOUS = (
    "The adults had argued since noon. When it grew loud a knife was on the table between them, and the child, who had "
    "been told to stay in the next room, heard one of them say so."
)


def _pol_018(record: Record, _on: date) -> Record:
    return record | {"red_line_facts": ["strangulation"], "child_risk_grade": "red", "child_left_with": ""}


def _pol_015(record: Record, _on: date) -> Record:
    blank = dict.fromkeys(("child_ref", "forename", "surname", "dob", "nhs_number", "upn", "child_role"), "")
    return record | blank | {"notice_type": "adult", "children_at_address": "yes"}


def _pol_013(record: Record, _on: date) -> Record:
    late = record["known_at"] + timedelta(hours=5)
    return record | {"child_risk_grade": "red", "created_at": record["known_at"], "sent_at": late}


def _pol_026(record: Record, on: date) -> Record:
    home = {"notice_type": "domestic", "harm_type": ["domestic_abuse"], "dob": on - timedelta(days=9 * 365)}
    return record | home | {"school_told_at": ""}


def _vis_016(record: Record, on: date) -> Record:
    made = datetime.combine(on - timedelta(days=16), time(10))
    times = {"actual_at": made, "ended_at": made + timedelta(minutes=45), "recorded_at": made + timedelta(hours=3)}
    return record | times | {"worker_id": "SW99", "mode": "home"}


def _late(hours: int) -> Callable[[Record, date], Record]:
    def change(record: Record, _on: date) -> Record:
        delay = timedelta(hours=hours)
        earlier = {name: record[name] - delay for name in ("incident_at", "event_at", "known_at") if name in record}
        return record | earlier

    return change


def _cells(**cells: object) -> Callable[[Record, date], Record]:
    return lambda record, _on: record | cells


def _without(*names: str, **cells: object) -> Callable[[Record, date], Record]:
    return lambda record, _on: record | dict.fromkeys(names, "") | cells


BREAKS: Mapping[str, Callable[[Record, date], Record]] = {
    "POL-003": _without("incident_ref"),
    "POL-004": _cells(la_code="391"),
    "POL-005": _without("forename"),
    "POL-006": _without("forename", "surname", "dob", name_status="not_known", dob_status="unknown"),
    "POL-007": _cells(narrative=SHORT),
    "POL-008": _without("incident_is_home"),
    "POL-009": _without("household_adults"),
    "POL-010": _without("unit_phone_24h"),
    "POL-011": _without("incident_at"),
    "POL-012": _late(30),
    "POL-013": _pol_013,
    "POL-014": _without("seen"),
    "POL-015": _pol_015,
    "POL-016": _without("voice_words", "demeanour"),
    "POL-017": _cells(spoken_to="no", not_seen_reason="asleep"),
    "POL-018": _pol_018,
    "POL-019": _cells(harm_type=Sent("Concern, see DASH")),
    "POL-020": _without("child_risk_grade"),
    "POL-021": _without("grade_rationale"),
    "POL-022": _cells(child_risk_grade="green", red_line_facts=["weapon"]),
    "POL-023": _cells(child_risk_grade="green", red_line_facts=["none"], narrative=f"{SERIOUS} Our log: {N}."),
    "POL-024": _without("da_tool", notice_type="domestic"),
    "POL-025": _without("suspect_status", child_risk_grade="red"),
    "POL-026": _pol_026,
    "POL-027": _without("incidents_12m"),
    "POL-028": _cells(powers_used="police_protection", child_risk_grade="red"),
    "POL-029": _cells(notice_type="missing"),
    "POL-030": _without("handling_condition"),
    "POL-031": _cells(narrative=ACCOUNTS[1]),
    "POL-032": _cells(narrative=ACCOUNTS[2]),
    "REF-001": _without("contact_reference"),
    "REF-003": _without("surname"),
    "REF-004": _without("forename", "surname", "dob", name_status="not_known", dob_status="unknown"),
    "REF-005": lambda record, on: record | {"dob": on + timedelta(days=90)},
    "REF-006": _without("address"),
    "REF-007": lambda record, _on: record | {"address_protected": "yes", "event_place": record["address"]},
    "REF-008": _cells(household_adults=["Someone from next door"]),
    "REF-009": _without("other_children"),
    "REF-010": _cells(narrative=SHORT),
    "REF-011": _cells(contact_reference="WS-FAMILY", narrative=ACCOUNTS[0]),
    "REF-012": _without("event_at", "event_period"),
    "REF-013": _late(24 * 9),
    "REF-014": _cells(concern_type=Sent("Concern, see form")),
    "REF-015": _without("immediate_danger"),
    "REF-016": _without("child_location_now", injury="yes", level_requested="section_47"),
    "REF-017": _without("spoken_alone"),
    "REF-018": _cells(child_voice="Too young to speak."),
    "REF-019": _cells(sender_phone="School office"),
    "REF-020": _cells(level_requested="early_help", injury="yes"),
    "REF-021": _without("previous_concerns"),
    "REF-022": _cells(
        concern_type=["neglect"], person_access_now="no", agreement_to_service="refused", agreement_asked_of="nobody"
    ),
    "REF-023": _cells(record_role="council_record", status="decided", outcome_code="assessment"),
    "REF-024": _cells(
        record_role="council_record",
        status="decided",
        outcome_code="no_further_action",
        injury="yes",
        level_requested="section_47",
        decider_role="screening_officer",
        rationale="Closed without a call.",
    ),
    "REF-025": _cells(record_role="council_record", status="open"),
    "REF-026": _cells(narrative=ACCOUNTS[1]),
    "REF-027": _cells(narrative=ACCOUNTS[2]),
    "REF-101": _cells(referral_nfa="yes"),
    "REF-102": lambda record, _on: (
        record | {"icpc_date": record["icpc_date"] + timedelta(days=6 - record["icpc_date"].isoweekday())}
    ),
    "REF-103": lambda record, _on: record | {"death_date": record["sent_at"] - timedelta(days=40)},
    "REF-104": lambda record, _on: (
        record | {"sent_at": record["return_reference_date"] + timedelta(days=1), "icpc_date": ""}
    ),
    "REF-105": lambda record, _on: record | {"upn": ("A" if record["upn"][0] != "A" else "B") + record["upn"][1:]},
    "VIS-001": _cells(child_id_council=f"K{N}X"),
    "VIS-002": _without("child_id_council"),
    "VIS-003": _without("standard_id"),
    "VIS-004": _cells(plan_type="cp", standard_id="cp_visit_10_working_days", worker_id="Unallocated"),
    "VIS-005": _cells(plan_type="cp", standard_id="cp_visit_10_working_days", worker_role="family_support_worker"),
    "VIS-006": _without("child_seen", "seen_alone", plan_type="cin", standard_id="cin_visit_6_weeks"),
    "VIS-007": _cells(mode="virtual", plan_type="cin", standard_id="cin_visit_6_weeks"),
    "VIS-008": _without(
        "not_seen_reason",
        "seen_alone",
        plan_type="cin",
        standard_id="cin_visit_6_weeks",
        status="not_seen",
        child_seen="no",
    ),
    "VIS-009": _without(
        "seen_alone",
        "next_action",
        plan_type="cp",
        standard_id="cp_visit_10_working_days",
        status="not_seen",
        child_seen="no",
        not_seen_reason="not_at_home",
        whereabouts_known="no",
    ),
    "VIS-010": _without("not_alone_reason", seen_alone="no"),
    "VIS-011": _without("bedroom_seen", mode="home"),
    "VIS-012": _cells(views_recorded="no"),
    "VIS-013": lambda record, _on: record | {"recorded_at": record["actual_at"] - timedelta(hours=3)},
    "VIS-015": lambda record, _on: record | {"recorded_at": record["recorded_at"] + timedelta(days=12)},
    "VIS-016": _vis_016,
    "VIS-017": lambda record, _on: record | {"due_on": record["due_on"] + timedelta(days=7)},
    "VIS-018": _cells(new_concern="yes"),
}
