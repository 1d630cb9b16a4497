"""One good record of each feed: no rule fails, and whoever must decide finds every element.

A record maps a property to a value in the house's own terms: text, code, `date`, `datetime` (local time, without zone),
number, or a list. `N` within a text stands for the record's number; the writer puts it in. How an agency says all this
(headers, labels, dates) is the writer's business, too.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from frontdoor.simulator import invented

Record = dict[str, Any]
N = "\x00"


# What is different in a contact by another kind of agency than a school.
BY_KIND: Mapping[str, Record] = {
    "housing": {
        "source_code": "4",
        "sender_service": "Wearside Housing, tenancy support",
        "sender_role": "Housing officer",
        "event_place": "at home",
        "child_location_now": "at home",
        "child_with_now": "mother",
        "immediate_action": "Stayed until the other adult had left and the door was mended.",
    },
    "health": {
        "source_code": "3B",
        "sender_service": "Wearside Health Visiting",
        "sender_role": "Health visitor",
        "event_place": "at home",
        "child_location_now": "at home",
        "child_with_now": "mother",
        "immediate_action": "Stayed with the child until the carer could be reached.",
    },
}


def _child(chance: Random, on: date) -> Record:
    forename, surname = invented.person(chance)
    adult, other = invented.person(chance)[0], invented.person(chance)[0]
    return {
        "child_ref": f"C{N}",
        "forename": forename,
        "surname": surname,
        "name_status": "given",
        "dob": on - timedelta(days=chance.randrange(2 * 365, 15 * 365)),
        "dob_status": "exact",
        "sex": chance.choice("MF"),
        "ethnicity": chance.choice(["WBRI", "WBRI", "WBRI", "ABAN", "BAFR", "MWAS", "WROM"]),
        "nhs_number": invented.nhs_number(chance),
        "upn": invented.upn(chance),
        "address": invented.address(chance),
        "postcode": invented.postcode(chance),
        "address_status": "home",
        "address_protected": "no",
        "disability_communication": chance.choice(["none", "none", "none", "AUT", "COMM", "HEAR"]),
        "interpreter_language": chance.choice(["none", "none", "none", "pl", "ro", "ar"]),
        "school_or_setting": chance.choice(invented.SCHOOLS),
        "gp": f"{chance.choice(invented.STREETS)} Surgery",
        "household_adults": [f"{adult} {surname}, {chance.choice(invented.RELATIONS)}, PR yes, lives there"],
        "other_children": [f"{other} {surname}, {chance.randrange(1, 17)}, at home"],
    }


def _working_day(chance: Random, on: date) -> date:
    """A Tuesday to Thursday, two to four weeks before."""
    day = on - timedelta(days=chance.randrange(14, 28))
    return day - timedelta(days=(day.isoweekday() - 2) % 7 if day.isoweekday() not in (2, 3, 4) else 0)


def police(chance: Random, on: date) -> Record:
    """A notice about a child at an incident between the adults at home."""
    began = datetime.combine(
        on - timedelta(days=chance.randrange(3, 20)), time(chance.randrange(9, 18), chance.randrange(60))
    )
    known = began + timedelta(minutes=chance.randrange(5, 50))
    sent = known + timedelta(minutes=chance.randrange(60, 600))
    home = invented.address(chance)
    adult, surname = invented.person(chance)
    kind = chance.choice(["domestic", "domestic", "child", "exploitation"])
    harm = {"domestic": ["domestic_abuse"], "child": ["neglect"], "exploitation": ["criminal_exploitation"]}[kind]
    grade = chance.choice(["red", "amber", "green"])
    facts = {"red": ["weapon"], "amber": ["none"], "green": ["none"]}[grade]
    return _child(chance, on) | {
        "address": home,
        "force_code": "99",
        "la_code": "394",
        "notification_ref": f"WP-{N}",
        "incident_ref": f"INC-{N}",
        "record_action": "new",
        "notice_type": kind,
        "officer_unit": chance.choice(["response", "neighbourhood", "safeguarding"]),
        "unit_phone_24h": invented.telephone(chance),
        "officer_id": f"PC{chance.randrange(1000, 9999)}",
        "supervisor_reviewed": "yes",
        "children_at_address": "yes",
        "incident_at": began,
        "known_at": known,
        "created_at": sent - timedelta(minutes=40),
        "sent_at": sent,
        "incident_address": home,
        "incident_is_home": "yes",
        "child_role": chance.choice(["witness", "lives_there", "victim"]),
        "harm_type": harm + chance.choice([[], [], ["emotional_abuse"], ["carer_substance"]]),
        "narrative": f"{chance.choice(invented.ACCOUNTS)} Our log: {N}.",
        "red_line_facts": facts,
        "present": "yes",
        "place_of_child": chance.choice(["upstairs", "on the stairs", "in the same room", "in the kitchen"]),
        "seen": "yes",
        "spoken_to": "yes",
        "spoken_alone": chance.choice(["yes", "no"]),
        "voice_words": chance.choice(invented.WORDS),
        "demeanour": chance.choice(invented.DEMEANOUR),
        "child_condition": chance.choice(["good", "some_concern"]),
        "home_condition": chance.choice(["good", "some_concern", "poor"]),
        "carer_state": chance.choice(["calm", "distressed", "intoxicated"]),
        "suspect_known": f"{adult} {surname}",
        "suspect_status": chance.choice(["custody", "bail_conditions", "released"]),
        "suspect_lives_with_child": chance.choice(["yes", "no"]),
        "da_tool": chance.choice(["dash", "dara"]),
        "da_grade": chance.choice(["standard", "medium", "high"]),
        "da_refused": "no",
        "marac": chance.choice(["yes", "no"]),
        "school_told_at": sent + timedelta(minutes=30),
        "child_risk_grade": grade,
        "grade_rationale": chance.choice(invented.RATIONALES),
        "incidents_12m": chance.randrange(0, 7),
        "history_searched": "yes",
        "action_taken": chance.choice([["arrest"], ["safety_plan"], ["carer_moved", "safety_plan"]]),
        "powers_used": "none",
        "child_left_with": f"{adult}, {chance.choice(invented.RELATIONS)}",
        "strategy_requested": "no",
        "parents_told": "yes",
        "agreement_to_service": chance.choice(["given", "not_sought"]),
        "handling_condition": "share",
        "safe_contact": "any",
    }


def referral(chance: Random, on: date) -> Record:
    """A contact by a school about a pupil."""
    day = _working_day(chance, on)
    happened = datetime.combine(day, time(9, chance.randrange(60)))
    who, surname = invented.person(chance)
    return _child(chance, on) | {
        "record_role": "sent",
        "contact_reference": f"WS-{N}",
        "record_action": "new",
        "source_code": "2A",
        "sender_service": chance.choice(invented.SCHOOLS),
        "sender_role": chance.choice(["Designated safeguarding lead", "Head of year", "Deputy head"]),
        "sender_name": f"{who} {surname}",
        "sender_phone": invented.telephone(chance),
        "sender_anonymous": "no",
        "known_at": happened + timedelta(minutes=30),
        "event_at": happened,
        "event_period": "today",
        "sent_at": happened + timedelta(hours=chance.randrange(2, 8)),
        "event_place": chance.choice(["at home", "at school", "on the way home"]),
        "concern_type": chance.choice(
            [["neglect"], ["domestic_abuse"], ["emotional_abuse", "neglect"], ["physical_abuse"]]
        ),
        "narrative": f"{chance.choice(invented.ACCOUNTS)} Our log: {N}.",
        "injury": "no",
        "immediate_danger": "no",
        "child_location_now": "in class",
        "child_with_now": "school",
        "seen_at": happened + timedelta(minutes=20),
        "spoken_alone": "yes",
        "child_voice": chance.choice(invented.WORDS),
        "immediate_action": "Stayed with the pupil and rang the carer who collects.",
        "person_of_concern": f"{invented.person(chance)[0]} {surname}",
        "person_access_now": chance.choice(["yes", "no"]),
        "level_requested": chance.choice(["early_help", "section_17", "section_47"]),
        "level_scheme": "Wearside levels of need, 2024",
        "sender_analysis": chance.choice(invented.RATIONALES),
        "previous_concerns": chance.choice(["Two in the log this year.", "We looked and found no earlier one."]),
        "tried_already": "A meeting with the carer in spring.",
        "parents_informed": "yes",
        "agreement_to_service": chance.choice(["given", "refused"]),
        "agreement_asked_of": "mother",
        "agreement_asked_at": happened + timedelta(hours=1),
        "safe_contact": "By telephone in the morning.",
        "share_with_family": "yes",
    }


def visit(chance: Random, on: date) -> Record:
    """A visit in which the child was seen alone at home."""
    day = _working_day(chance, on)
    made = datetime.combine(day, time(chance.randrange(9, 16), chance.randrange(60)))
    plan, standard = chance.choice(
        [("cp", "cp_visit_10_working_days"), ("cla", "cla_visit_6_weeks"), ("cin", "cin_visit_6_weeks")]
    )
    return {
        "visit_id": f"V{N}",
        "child_id_council": f"K{N}",
        "plan_type": plan,
        "plan_started": day - timedelta(days=chance.randrange(60, 400)),
        "standard_id": standard,
        "due_on": day + timedelta(days=chance.randrange(0, 3)),
        "due_set_at": made - timedelta(days=20),
        "planned_at": made - timedelta(days=1),
        "actual_at": made,
        "ended_at": made + timedelta(minutes=chance.randrange(30, 80)),
        "status": "seen",
        "mode": chance.choice(["home", "home", "elsewhere"]),
        # One worker of so many cannot be in two places at one time.
        "worker_id": f"SW{N}",
        "worker_role": "social_worker",
        "is_allocated": "yes",
        "worker_available": "yes",
        "team_code": chance.choice(["locality_north", "locality_south", "locality_coast"]),
        "child_seen": "yes",
        "seen_alone": "yes",
        "bedroom_seen": "yes",
        "views_recorded": "yes",
        "new_concern": "no",
        "next_action": "visit_again",
        "next_visit_at": made + timedelta(days=14),
        "recorded_at": made + timedelta(hours=chance.randrange(2, 8)),
    }


def episode(chance: Random, on: date) -> Record:
    """A referral of the council's own yearly return: assessed, and closed or not."""
    referred = _working_day(chance, on) - timedelta(days=28)
    conference = referred + timedelta(days=14)
    return {
        "child_ref": f"WC{N}",
        "upn": invented.upn(chance),
        "dob": on - timedelta(days=chance.randrange(2 * 365, 15 * 365)),
        "sex": chance.choice("MF"),
        "ethnicity": chance.choice(["WBRI", "ABAN", "MWAS"]),
        "sent_at": referred,
        "source_code": chance.choice(["2A", "6", "3B", "1A", "5D"]),
        "primary_need": chance.choice(["N1", "N4", "N5"]),
        "referral_nfa": "no",
        "icpc_date": conference,
        "return_reference_date": on - timedelta(days=1),
    }


GOOD: Mapping[str, Callable[[Random, date], Record]] = {
    "police": police,
    "referral": referral,
    "visit": visit,
    "cin_census": episode,
}
