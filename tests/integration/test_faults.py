"""What is not the agency's fault is not charged to it; a withdrawn rule restates scores, is told once, and changes nothing else.

Mend: frontdoor/quality/attributions.py, frontdoor/delivery/charging.py, frontdoor/alerts/withdrawing.py, frontdoor/cli/faults.py.
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from frontdoor import clock, delivery
from tests.integration.test_scores import FEED, SCHOOLS, Here, here, prepared, sample  # noqa: F401

KNOWN, CORRECTED = ("completeness", "as_known"), ("completeness", "as_corrected")


def charge(here: Here, *more: str, to: str = "relay") -> dict[str, Any]:  # noqa: F811
    code, document = here.command(
        "fault", "charge", "--to", to, "--reason", "It was cut on its way.", "--by-role", "data_engineer", *more
    )
    assert code == 0, document
    return document


def rebuild(here: Here) -> None:  # noqa: F811
    here.ahead += timedelta(minutes=2)
    delivery.ingest(here.settings)


def today() -> str:
    return clock.now().date().isoformat()


def test_fault_of_a_relay_is_left_out_of_what_is_charged_and_comes_back_when_taken_back(here: Here) -> None:  # noqa: F811
    here.week(2)
    first = here.land(sample(601, "REF-003"))
    checked, failed, not_run = before = here.scores()[CORRECTED]
    assert failed == 1 and here.scores(fault="agency")[CORRECTED] == before
    letters = here.all("select count(*) from alerts.messages")
    decided = charge(here, "--delivery", str(first), "--from", today(), "--until", today())
    rebuild(here)
    assert here.scores()[CORRECTED] == before, "whoever caused it, it is wrong"
    assert here.scores(fault="agency")[CORRECTED] == (checked - 1, 0, not_run)
    assert here.scores(fault="agency")[KNOWN] == before, "nobody knew it then"
    assert here.all("select count(*) from alerts.messages") == letters, "nobody need be told"
    assert decided["attribution_id"] in [
        each["attribution_id"] for each in here.command("fault", "list", "--agency", SCHOOLS)[1]["attributions"]
    ]
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    code, ended = here.command("fault", "end", str(decided["attribution_id"]), "--on", yesterday)
    assert (code, ended["state"]) == (0, "taken_back")
    rebuild(here)
    assert here.scores(fault="agency")[CORRECTED] == before
    assert here.command("fault", "end", str(decided["attribution_id"]))[0] == 2


def test_withdrawn_rule_restates_scores_is_told_once_and_changes_nothing_else(here: Here) -> None:  # noqa: F811
    def picture() -> Any:
        return (
            here.all("select to_jsonb(t) from worklists.triage as t order by delivery_id, record_no"),
            here.all("select to_jsonb(f) - 'as_of' from indicators.indicator_values as f order by 1"),
            here.all("select delivery_id, verdict from intake.deliveries order by 1"),
            here.all("select * from quality.check_results order by 1, 2"),
            here.all(
                "select delivery_id, record_no, rule_id, state, resolved_at from quality.findings order by 1, 2, 3"
            ),
            here.all("select * from quality.first_scores order by 1, 2"),
        )

    here.week(4)
    here.land(sample(602, "REF-003"))
    here.land(sample(603, "REF-003"))
    before, seen = here.scores(), picture()
    letters = here.all("select message_id from alerts.messages")
    decided = charge(here, "--rule", "REF-003", "--from", today(), to="our_rule")
    assert (decided["is_withdrawal"], decided["letters"]) == (True, 1)
    rebuild(here)
    after = here.scores()
    assert after[CORRECTED] == (before[CORRECTED][0] - 8, before[CORRECTED][1] - 2, 0), "it counts for nothing"
    assert after[KNOWN] == before[KNOWN], "what was said then is history"
    assert picture() == seen, "no list, no indicator, no verdict, no finding"
    ((role, subject, body),) = here.all(
        "select recipient_role, subject, body from alerts.messages where message_id <> all(%s::uuid[])",
        [each for (each,) in letters],
    )
    assert role == "wearside_schools_liaison"
    assert subject == "Front door: rule REF-003 was wrong: 2 findings not charged to you"
    said = " ".join(body.split())
    assert "2 findings in 2 deliveries of yours" in said and "It was cut" not in said
    third = here.land(sample(604, "REF-003"))
    assert here.all("select rule_id from quality.findings where delivery_id = %s", third) == [("REF-003",)]
    assert here.scores()[CORRECTED][1] == 0, "as long as it is withdrawn"
    rebuild(here)
    assert here.all("select count(*) from alerts.messages where subject like '%% was wrong: %%'") == [(1,)]
    assert here.command("fault", "end", str(decided["attribution_id"]), "--on", "2020-01-01")[0] == 0


def test_label_that_waits_for_our_mapping_is_not_charged_and_an_ambiguous_one_is(here: Here) -> None:  # noqa: F811
    here.week(6)
    rows = list(csv.DictReader(io.StringIO(sample(605).decode())))
    label = next(
        name
        for name, (prop, kind) in {header: found for header, found in _codes().items() if header in rows[0]}.items()
        if kind == "concern_type"
    )
    rows[0][label] = "What nobody has mapped"
    written = io.StringIO()
    writer = csv.DictWriter(written, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    landed = here.land(written.getvalue().encode())
    waiting = here.all(
        "select rule_id from quality.findings where delivery_id = %s and waits_for_mapping order by 1", landed
    )
    assert ("REF-014",) in waiting
    every, charged = here.scores(), here.scores(fault="agency")
    assert every["conformity", "as_known"][1] == 1 and charged["conformity", "as_known"][1] == 0
    assert every["conformity", "as_corrected"][1] == 1 and charged["conformity", "as_corrected"][1] == 0

    here.all(
        "insert into reference.ambiguous_labels select deliveries.agency_code, deliveries.source, deliveries.feed,"
        " deliveries.agency_version, labels.code_list, labels.label from raw.unmapped_labels as labels"
        " inner join intake.deliveries as deliveries using (delivery_id) where delivery_id = %s returning 1", landed,
    )  # fmt: skip
    delivery.replay(here.settings, [landed])
    rebuild(here)
    assert here.scores(fault="agency")["conformity", "as_corrected"][1] == 1, (
        "what means several things is the sender's"
    )
    assert here.scores(fault="agency")["conformity", "as_known"][1] == 0, "then it was waiting"


def _codes() -> dict[str, tuple[str, str]]:
    """Header of the schools -> (property, code list)."""
    from frontdoor.contract import load_house, normalised

    house = load_house()
    agreed = house.agency_feed(SCHOOLS, FEED, FEED, clock.now().date())
    assert agreed is not None
    by_header = {normalised(header): name for header, name in agreed.headers.items()}
    rows = csv.reader(io.StringIO(sample(605).decode()))
    found = {}
    for header in next(rows):
        name = by_header.get(normalised(header), header)
        prop = next((each for each in house.feeds[FEED].properties if each.name == name), None)
        if prop is not None and prop.code_list:
            found[header] = (name, prop.code_list)
    return found


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--from", "2026-01-01"], "say what it is about"),
        (["--agency", "nobody", "--from", "2026-01-01"], "no agency of that name"),
        (["--agency", SCHOOLS, "--feed", "police", "--from", "2026-01-01"], "does not send that feed"),
        (["--rule", "REF-999", "--from", "2026-01-01"], "no rule of that id"),
        (["--delivery", "99999", "--from", "2026-01-01"], "no delivery 99999"),
        (["--rule", "REF-003", "--from", "2026-01-02", "--until", "2026-01-01"], "lies before"),
        (["--agency", SCHOOLS, "--from", "2026-01-01", "--by-role", "liaison"], "never a name"),
        (["--agency", SCHOOLS, "--from", "2026-01-01", "--reason", " "], "one sentence"),
        (["--agency", SCHOOLS, "--from", "2026-01-01", "--to", "our_rule"], "wants the --rule"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_cannot_be_charged_is_refused_in_words(here: Here, given: list[str], says: str) -> None:  # noqa: F811
    code, document = here.command(
        "fault", "charge", "--to", "relay", "--reason", "Why.", "--by-role", "team_manager", *given
    )
    assert code == 2 and says in document["error"]
