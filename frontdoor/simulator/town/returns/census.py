"""The children in need census: every episode of a year that ended on 31 March, as the case system tells it in July.

What the layout names, and what a real return carries beside it and the town knows: assessments with their factors,
section 47 enquiries, protection plans with their reviews. Each as it was at the end of the year: what came later is of
the next one. A referral whose source or need nobody knows any more says so (10, N0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from xml.etree.ElementTree import Element, SubElement

from frontdoor.contract import House
from frontdoor.simulator.good import Record
from frontdoor.simulator.layout import tree_of, written
from frontdoor.simulator.town.calendar import Calendar
from frontdoor.simulator.town.people import Child
from frontdoor.simulator.town.post import COUNCIL
from frontdoor.simulator.town.records import SCHOOL_AGE
from frontdoor.simulator.town.returns.casefile import CaseFile, Episode, Step
from frontdoor.simulator.town.sent import Told

SOURCE, FEED = "cin_census", "referral"
YEAR_ENDS, HANDED_OVER = (3, 31), (7, 31)
SOURCE_CODES = {"police": "6", "health": "3B", "school": "2A", "housing": "4", "other": "8"}
NOT_KNOWN, NOT_IN_NEED = "10", "RC8"
NEEDS = {"": "N0", "domestic_abuse": "N5"}
ABUSE, NOT_A_CHILD_IN_NEED = "N1", "N9"
CATEGORIES = {"neglect": "NEG", "emotional": "EMO", "physical": "PHY", "sexual": "SAB"}
CONFERENCE_WITHIN = 15
IN_NEED_PLAN = "CINPlanDates"


def handed_over_on(year: int, calendar: Calendar) -> date:
    """The last working day of July."""
    return calendar.before(date(year, *HANDED_OVER) + timedelta(days=1))


def census(
    house: House, on: date, file: CaseFile, children: Mapping[str, Child], calendar: Calendar
) -> tuple[bytes, list[Told]]:
    """The return handed over on a day, and what its records tell of; `children` by the council's number."""
    agreed = house.agency_feed(COUNCIL, SOURCE, FEED, on)
    if agreed is None:
        raise ValueError(f"{COUNCIL} has agreed no {SOURCE} on {on}")
    ends = date(on.year, *YEAR_ENDS)
    begins = date(on.year - 1, *YEAR_ENDS) + timedelta(days=1)
    counted = [each for each in file.episodes(ends) if each.is_open_since(begins)]
    root = tree_of(
        house.layouts[SOURCE], agreed, ((_record(each, children[each.child_id], ends), "") for each in counted)
    )
    _head(root, ends, on)
    mapping = house.layouts[SOURCE].mapping_of(FEED, ends.year)
    details = root.iter(str(mapping["record"]).rsplit("/", 1)[-1])
    asks_for_plans = any(place.startswith(IN_NEED_PLAN) for place in mapping.get("beside", ()))
    told: list[Told] = []
    for number, (episode, element) in enumerate(zip(counted, details, strict=True), start=1):
        _more(element, episode, begins, ends, calendar)
        _plans(element, episode, begins, ends, with_plans_in_need=asks_for_plans)
        child_id = children[episode.child_id].child_id
        told.append(Told(number, episode.began_on.isoformat(), child_id, tells_of=episode.first.name))
    return written(root), told


def _record(episode: Episode, child: Child, ends: date) -> Record:
    conferences = episode.of("conferences")
    is_known = episode.first.table == "referrals"
    return {
        "child_ref": child.council_id,
        "la_child_id": child.council_id,
        "contact_reference": episode.began_on,
        "sent_at": episode.began_on,
        "upn": child.upn if child.age_on(ends) >= SCHOOL_AGE else "",
        "dob": child.dob,
        "sex": child.sex,
        "ethnicity": child.ethnicity,
        "source_code": SOURCE_CODES[episode.first.code] if is_known else NOT_KNOWN,
        "primary_need": NOT_A_CHILD_IN_NEED if episode.reason == NOT_IN_NEED else NEEDS.get(episode.harm, ABUSE),
        "referral_nfa": "yes" if episode.is_nfa else "no",
        "closure_date": episode.closed_on or "",
        "closure_reason": episode.reason,
        "icpc_date": conferences[0].on if conferences else "",
        "return_reference_date": ends,
    }


def _head(root: Element, ends: date, on: date) -> None:
    (header,) = root.findall("Header")
    (details,) = header
    details[:] = [_leaf("Collection", "CIN"), _leaf("Year", ends.year), _leaf("ReferenceDate", ends)]
    if root.find("Children") is None:
        # Nobody was in need: the return is handed over all the same.
        SubElement(root, "Children")
    made_by = {"SourceLevel": "L", "SoftwareCode": "case system", "DateTime": f"{on}T16:00:00"}
    _put(SubElement(header, "Source"), made_by)


def _more(element: Element, episode: Episode, begins: date, ends: date, calendar: Calendar) -> None:
    """What the layout does not name; of the year alone where it is of a day."""
    authorised = {step.number: step for step in episode.of("assessments_authorised")}
    for step in episode.of("assessments"):
        done = authorised.get(step.number)
        if done is not None and done.on < begins:
            continue
        assessment = SubElement(element, "Assessments")
        _put(assessment, {"AssessmentActualStartDate": step.on})
        if done is not None:
            _put(assessment, {"AssessmentAuthorisationDate": done.on})
            factors = SubElement(assessment, "FactorsIdentifiedAtAssessment")
            factors[:] = [_leaf("AssessmentFactors", code) for code in done.code.split()]
    conferences = episode.of("conferences")
    for step in episode.of("section_47"):
        if step.on >= begins:
            _enquiry(SubElement(element, "Section47"), step, conferences, calendar)


def _enquiry(element: Element, enquiry: Step, conferences: Sequence[Step], calendar: Calendar) -> None:
    target = calendar.after(enquiry.on, CONFERENCE_WITHIN)
    held = next((step.on for step in conferences if step.on >= enquiry.on), None) if enquiry.is_so else None
    _put(element, {"S47ActualStartDate": enquiry.on, "InitialCPCtarget": target})
    _put(element, {"DateOfInitialCPC": held} if held else {"ICPCnotRequired": "false" if enquiry.is_so else "true"})


def _plans(element: Element, episode: Episode, begins: date, ends: date, *, with_plans_in_need: bool) -> None:
    # The dates of plans of children in need are asked for by later years only.
    ended = {step.number: step.on for step in episode.of("plans_ended")}
    category = {step.on: CATEGORIES[step.code] for step in episode.of("conferences") if step.code}
    reviews = episode.of("reviews")
    for step in episode.of("plans"):
        until = ended.get(step.number)
        if until is not None and until < begins:
            continue
        if step.code == "cin" and with_plans_in_need:
            dates = SubElement(element, IN_NEED_PLAN)
            _put(dates, {"CINPlanStartDate": step.on, "CINPlanEndDate": until})
        elif step.code == "cp":
            plan = SubElement(element, "ChildProtectionPlans")
            of_abuse = category.get(step.on)
            _put(plan, {"CPPstartDate": step.on, "CPPendDate": until})
            _put(plan, {"InitialCategoryOfAbuse": of_abuse, "LatestCategoryOfAbuse": of_abuse})
            held = [each.on for each in reviews if step.on <= each.on <= (until or ends)]
            if held:
                SubElement(plan, "Reviews")[:] = [_leaf("CPPreviewDate", each) for each in held]


def _put(element: Element, cells: Mapping[str, object]) -> None:
    """Put in what is known of it."""
    element.extend(_leaf(name, value) for name, value in cells.items() if value is not None)


def _leaf(name: str, value: object) -> Element:
    leaf = Element(name)
    leaf.text = str(value)
    return leaf
