"""For each rule, what to change in a good record so that it fails: as few cells as can be, and no other rule with it.

`SHARED` and `REUSED` cannot be seen in one record: the writer gives a second record the number of the first (shared),
or makes a record another child's under the number that it has in the good file of the same seed (reused).
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
SHORT = "Argument at home, child there."


def _pol_018(record: Record, _on: date) -> Record:
    return record | {"red_line_facts": ["strangulation"], "child_risk_grade": "red", "child_left_with": ""}


def _pol_015(record: Record, _on: date) -> Record:
    blank = dict.fromkeys(("child_ref", "forename", "surname", "dob", "nhs_number", "upn", "child_role"), "")
    return record | blank | {"notice_type": "adult", "children_at_address": "yes"}


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
    "POL-005": _without("forename"),
    "POL-006": _without("forename", "surname", "dob", name_status="not_known", dob_status="unknown"),
    "POL-007": _cells(narrative=SHORT),
    "POL-012": _late(30),
    "POL-014": _without("seen"),
    "POL-015": _pol_015,
    "POL-016": _without("voice_words", "demeanour"),
    "POL-018": _pol_018,
    "POL-019": _cells(harm_type=Sent("Concern, see DASH")),
    "POL-020": _without("child_risk_grade"),
    "POL-021": _without("grade_rationale"),
    "POL-022": _cells(child_risk_grade="green", red_line_facts=["weapon"]),
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
