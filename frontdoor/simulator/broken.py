"""For each rule, what to change in a good record so that it fails: as few cells as can be, and no other rule with it.

`SHARED`, `REUSED` and `TWICE` cannot be seen in one record: the writer gives a second record the number of the first
(shared), makes a record another child's under the number that it has in the good file of the same seed (reused), or
tells what the record before told, under a number of its own (twice).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from frontdoor.simulator.good import N, Record


@dataclass(frozen=True)
class Sent:
    """Text that goes into the file as it is, not translated into the agency's words."""

    text: str


SHARED = frozenset({"POL-001", "REF-002", "VIS-001"})
REUSED = frozenset({"POL-002"})
TWICE = frozenset({"POL-003"})
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
    "POL-023": _cells(child_risk_grade="green", red_line_facts=["none"], narrative=SERIOUS),
    "POL-024": _without("da_tool", notice_type="domestic"),
    "POL-025": _without("suspect_status", child_risk_grade="red"),
    "POL-026": _pol_026,
    "POL-027": _without("incidents_12m"),
    "POL-028": _cells(powers_used="police_protection", child_risk_grade="red"),
    "POL-029": _cells(notice_type="missing"),
    "POL-030": _without("handling_condition"),
    "REF-001": _without("contact_reference"),
    "REF-003": _without("surname"),
    "REF-004": _without("forename", "surname", "dob", name_status="not_known", dob_status="unknown"),
    "REF-005": lambda record, on: record | {"dob": on + timedelta(days=90)},
    "REF-006": _without("address"),
    "REF-010": _cells(narrative=SHORT),
    "REF-013": _late(24 * 9),
    "REF-016": _without("child_location_now", injury="yes"),
    "REF-024": _cells(
        record_role="council_record",
        status="decided",
        outcome_code="no_further_action",
        injury="yes",
        decider_role="screening_officer",
        rationale="Closed without a call.",
    ),
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
    "VIS-003": _without("standard_id"),
    "VIS-004": _cells(plan_type="cp", standard_id="cp_visit_10_working_days", worker_id="Unallocated"),
    "VIS-006": _without("child_seen", "seen_alone"),
    "VIS-007": _cells(mode="virtual"),
    "VIS-008": _without("not_seen_reason", "seen_alone", status="not_seen", child_seen="no"),
    "VIS-010": _without("not_alone_reason", seen_alone="no"),
    "VIS-013": lambda record, _on: record | {"recorded_at": record["actual_at"] - timedelta(hours=3)},
    "VIS-015": lambda record, _on: record | {"recorded_at": record["recorded_at"] + timedelta(days=12)},
}
