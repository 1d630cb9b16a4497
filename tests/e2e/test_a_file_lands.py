"""A file lands, and without a hand moved it is on the list, in the marts, and answered. Real Airflow, real Postgres.

Mend: follow the delivery through frontdoor/delivery with ``frontdoor status`` and HOME/log.
"""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from tests.live import Live

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("agency", "feed"), [("wearside_police", "police"), ("wearside_schools", "referral"), ("wearside_council", "visit")]
)
def test_good_file_is_accepted_and_built_without_a_hand_moved(live: Live, agency: str, feed: str) -> None:
    sha256 = live.land(agency, feed, live.sample(agency, feed, 25))
    live.wait_until(
        lambda: bool(
            live.rows(
                "select 1 from intake.deliveries join intake.files using (file_id)"
                " where sha256_received = %s and built_in is not null",
                (sha256,),
            )
        ),
        60,
        f"the {feed} file to be built",
    )
    ((status, verdict, records_in, loaded, dead),) = live.rows(
        "select deliveries.status, verdict, records_in, records_loaded, records_dead"
        " from intake.deliveries join intake.files using (file_id) where sha256_received = %s",
        (sha256,),
    )
    assert (status, verdict, records_in, loaded, dead) == ("published", "accepted", 25, 25, 0)
    if feed != "visit":
        assert live.in_triage(sha256) == 25


def test_poor_police_file_reaches_triage_with_its_defects_and_the_liaison(live: Live) -> None:
    sha256 = live.land("wearside_police", "police", live.sample("wearside_police", "police", 30, break_rule="POL-020"))
    live.wait_until(lambda: live.in_triage(sha256) == 30, 60, "30 records in triage")
    ((defects,),) = live.rows(
        "select triage.defects from worklists.triage join intake.deliveries using (delivery_id)"
        " join intake.files using (file_id) where sha256_received = %s and defect_count > 0",
        (sha256,),
    )
    assert "POL-020" in {defect["rule_id"] for defect in defects}
    assert all(defect["sentence"] and defect["what_to_do"] for defect in defects)

    def messages() -> list[tuple[str, str]]:
        return live.rows(
            "select message_id::text, recipient_role from alerts.messages join intake.deliveries using (delivery_id)"
            " join intake.files on files.file_id = deliveries.file_id where sha256_received = %s and sent_at is not null",
            (sha256,),
        )

    live.wait_until(lambda: bool(messages()), 30, "the liaison's message")
    ((message_id, role),) = messages()
    assert "liaison" in role
    letter = email.message_from_bytes(
        (live.settings.mail_dir / f"{message_id}.eml").read_bytes(), policy=email.policy.default
    )
    text = letter.get_body(("plain",)).get_content()
    assert "30" in text
    assert "999" in text


def test_census_return_supplies_every_episode_with_the_findings_that_are_known(live: Live) -> None:
    sha256 = live.land("wearside_council", "cin_census", (SHARED / "fake_CIN_data.xml").read_bytes(), name="return.xml")
    live.wait_until(lambda: live.in_triage(sha256) == 402, 90, "402 episodes in triage")
    delivery = (
        "(select delivery_id from intake.deliveries join intake.files using (file_id) where sha256_received = %s)"
    )
    assert live.rows(f"select count(*) from raw.referral where _delivery_id = {delivery}", (sha256,)) == [(402,)]
    assert live.rows(f"select count(*) from core.fct_contact_version where delivery_id = {delivery}", (sha256,)) == [
        (402,)
    ]
    counted = dict(
        live.rows(
            f"select rule_id, count(*) from quality.findings where delivery_id = {delivery} and rule_id like 'REF-%%'"
            " group by rule_id",
            (sha256,),
        )
    )
    assert counted == {"REF-101": 350, "REF-102": 91, "REF-103": 30, "REF-104": 8, "REF-105": 385}
    others = dict(
        live.rows(
            f"select status, count(*) from quality.check_results where delivery_id = {delivery}"
            " and rule_id like 'REF-0%%' group by status",
            (sha256,),
        )
    )
    assert set(others) == {"not_applicable"}
