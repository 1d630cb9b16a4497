"""No child leaves the lists, and nothing is merged in doubt: what real senders do, from read rows to worklists."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.dbt import records
from tests.dbt.conftest import Marts

pytestmark = pytest.mark.on_both_servers

CHILD = {
    "child_ref": "1",
    "forename": "Ann",
    "surname": "Oak",
    "dob": date(2015, 2, 1),
    "child_risk_grade": "amber",
    "red_line_facts": ["weapon"],
    "narrative": "The account, told for the first time.",
}


def police(reference: str | None, **changes: Any) -> dict[str, Any]:
    return {**CHILD, "notification_ref": reference, **changes}


def send(
    marts: Marts,
    *deliveries: list[dict[str, Any]],
    feed: str = "police",
    start: datetime = records.START,
    agency: str | None = None,
) -> list[int]:
    """Deliver and build one after the other; the delivery ids."""
    ids = []
    for number, rows in enumerate(deliveries):
        at = start + timedelta(days=number)
        ids.append(records.deliver(marts.connection, marts.house, feed, rows, at=at, agency=agency))
        records.build(marts.settings)
    return ids


def listed(marts: Marts, reference: str | None, columns: str = "delivery_id, record_no") -> list[tuple[Any, ...]]:
    return records.rows(
        marts.connection,
        f"select {columns} from worklists.triage where sender_reference is not distinct from %s"
        " order by delivery_id, record_no",
        reference,
    )


def test_twins_without_child_reference_both_stay_and_so_does_a_third(marts: Marts) -> None:
    ann, ben = police("twins", child_ref=None), police("twins", child_ref=None, forename="Ben")
    first, _, third = send(marts, [ann, ben], [ann, ben], [police("twins", child_ref=None, forename=None)])
    assert listed(marts, "twins") == [(first, 1), (first, 2), (third, 1)]


def test_twins_alike_in_every_word_both_stay(marts: Marts) -> None:
    twin = police("alike", forename=None)
    first, second = send(marts, [twin, twin], [twin, twin, twin])
    assert listed(marts, "alike") == [(first, 1), (first, 2), (second, 3)]


def test_records_without_any_reference_never_merge(marts: Marts) -> None:
    nobody = {"narrative": "Somebody saw a child.", "letters": "M" * 26}
    first, second = send(marts, [nobody, nobody], [nobody])
    assert listed(marts, None) == [(first, 1), (first, 2), (second, 1)]


def test_reused_reference_keeps_both_children_and_corrects_each(marts: Marts) -> None:
    other = {"forename": "Zoe", "surname": "Ash", "dob": date(2011, 7, 4)}
    _, second, third = send(
        marts,
        [police("reused")],
        [police("reused", **other)],
        [police("reused", narrative="Ann again, and more of it.")],
    )
    assert listed(marts, "reused") == [(second, 1), (third, 1)]


def test_technical_ids_reissued_overnight_change_nothing(marts: Marts) -> None:
    rows = [police(f"night {number}") for number in range(5)]
    first, _ = send(marts, rows, list(reversed(rows)))
    for number in range(5):
        assert listed(marts, f"night {number}") == [(first, number + 1)]
    history = records.rows(
        marts.connection,
        "select is_repeat, count(*) from core.fct_notification_version"
        " where sender_reference like 'night%%' group by 1",
    )
    assert dict(history) == {False: 5, True: 5}


def test_correction_takes_the_place_of_what_it_corrects_and_keeps_its_clock(marts: Marts) -> None:
    _, second = send(marts, [police("corrected", child_risk_grade=None)], [police("corrected")])
    assert listed(marts, "corrected", "delivery_id, is_ungraded, waiting_since, received_at") == [
        (second, False, records.START, records.START + timedelta(days=1))
    ]


def test_withdrawal_stays_open_and_marked_until_a_person_closes_it(marts: Marts) -> None:
    blank = {"notification_ref": "blank", "child_ref": "1", "record_action": "withdraw"}
    _, second = send(marts, [police("full"), police("blank")], [police("full", record_action="withdraw"), blank])
    assert listed(marts, "full", "delivery_id, is_open, is_withdrawn") == [(second, True, True)]
    # It says nothing of the child, so what was told stays beside it.
    assert listed(marts, "blank", f"delivery_id = {second}, is_open, is_withdrawn") == [
        (False, True, True),
        (True, True, True),
    ]


def test_downgrade_shows_both_until_a_person_decides(marts: Marts) -> None:
    first, second = send(marts, [police("lower")], [police("lower", child_risk_grade="green", red_line_facts=["none"])])
    assert listed(marts, "lower", "delivery_id, has_protection_marker") == [(first, True), (second, False)]


def test_defects_are_shown_worst_first_and_resolved_ones_go(marts: Marts) -> None:
    (delivery_id,) = send(marts, [])
    delivery_id = records.deliver(marts.connection, marts.house, "police", [police("defect")])
    version = marts.house.feeds["police"].version
    with marts.connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.findings"
            " (delivery_id, record_no, rule_id, contract_version, state, found_at, resolved_at, resolved_by)"
            " select %s, 1, rule_id, %s, state, %s, case when resolved_by <> '' then %s::timestamptz end,"
            " nullif(resolved_by, '') from (values ('POL-021', 'new', ''), ('POL-020', 'persisting', ''),"
            " ('POL-018', 'resolved', 'sender'), ('POL-014', 'waived', ''), ('POL-016', 'resolved', 'derived'))"
            " as found (rule_id, state, resolved_by)",
            (delivery_id, version, records.START, records.START),
        )
    marts.connection.commit()
    records.build(marts.settings)
    ((count, worst, defects),) = listed(marts, "defect", "defect_count, worst_severity, defects")
    # What is waived is not mended; what its sender withdrew is not either.
    shown = ["POL-020", "POL-014", "POL-016", "POL-021"]
    assert (count, worst, [each["rule_id"] for each in defects]) == (4, "critical", shown)
    assert set(defects[0]) == {"rule_id", "severity", "sentence", "what_to_do"}


def test_hostile_text_in_every_column_changes_no_other_record(marts: Marts) -> None:
    feed = marts.house.feeds["police"]
    nasty = (
        "'; drop table core.fct_notification_version; -- {{ 1/0 }} \\N \t\r\n \U0001f4a9 \u202e %s $$ " + "x" * 100_000
    )
    values: dict[str, Any] = {
        "string": nasty,
        "code": nasty,
        "narrative": nasty,
        "date": date.max,
        "timestamp": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        "integer": 2**31 - 1,
    }
    hostile = {each.name: [nasty] * 50 if each.is_list else values[each.kind] for each in feed.properties}
    earliest = {
        **hostile,
        "dob": date.min,
        "due_date": date.min,
        "age_stated": -(2**31),
        "notification_ref": "earliest",
    }
    (delivery_id,) = send(marts, [hostile, earliest, police("beside")])
    assert listed(marts, nasty) == [(delivery_id, 1)]
    assert listed(marts, "earliest") == [(delivery_id, 2)]
    assert listed(marts, "beside") == [(delivery_id, 3)]


@pytest.mark.parametrize("feed", ["referral", "visit"])
def test_hostile_text_in_other_feeds_fails_no_model(marts: Marts, feed: str) -> None:
    contract = marts.house.feeds[feed]
    values: dict[str, Any] = {
        "date": date.max,
        "timestamp": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        "integer": 2**31 - 1,
    }
    hostile = {
        # A label that the list does not know is never a code.
        **{f"{each.name}_state": "unmapped" for each in contract.properties if each.kind == "code"},
        **{
            each.name: values.get(each.kind, "'\\")
            for each in contract.properties
            if each.kind != "code" and not each.is_list
        },
    }
    lowest: dict[str, Any] = {"date": date.min, "timestamp": datetime(1, 1, 1, tzinfo=UTC), "integer": -(2**31)}
    lowest_row = {**hostile, **{each.name: lowest[each.kind] for each in contract.properties if each.kind in lowest}}
    send(marts, [hostile, lowest_row], feed=feed)


@pytest.mark.parametrize("endless", ["infinity", "-infinity"])
def test_postgres_infinities_fail_no_model(marts: Marts, endless: str) -> None:
    records.deliver(marts.connection, marts.house, "visit", [{"visit_id": endless, "child_id_council": endless}])
    records.deliver(marts.connection, marts.house, "police", [police(endless)])
    dates = {
        "visit": ("plan_started", "plan_ended", "actual_at", "recorded_at", "due_on"),
        "police": ("dob", "due_date", "incident_at", "known_at"),
    }
    with marts.connection.cursor() as cursor:
        for feed, columns in dates.items():
            changes = ", ".join(f"{column} = '{endless}'" for column in columns)
            cursor.execute(f"update raw.{feed}_read set {changes} where sender_reference = %s", (endless,))
    marts.connection.commit()
    records.build(marts.settings)
    assert len(listed(marts, endless)) == 1


def test_row_that_the_safety_net_put_there_is_replaced_by_the_model(marts: Marts) -> None:
    delivery_id = records.deliver(marts.connection, marts.house, "police", [police("rescued"), police("rescued 2")])
    with marts.connection.cursor() as cursor:
        cursor.execute(
            "insert into worklists.triage (record_key, feed, agency_code, received_at, is_open, is_withdrawn,"
            " defect_count, defects, delivery_id, record_no)"
            " select delivery_id || '#' || record_no, 'police', 'wearside_police', %s, true, false, 0, '[]', delivery_id,"
            " record_no from (values (%s, 1), (%s, 2)) as rescued (delivery_id, record_no)",
            (records.START, delivery_id, delivery_id),
        )
    marts.connection.commit()
    records.build(marts.settings)
    found = records.rows(
        marts.connection,
        "select sender_reference, record_key like '%%#%%' from worklists.triage where delivery_id = %s order by 1",
        delivery_id,
    )
    assert found == [("rescued", False), ("rescued 2", False)]


def test_only_the_council_closes_with_time_role_and_reason_and_held_is_open(marts: Marts) -> None:
    today = records.START.date()
    own = {"record_role": "council_record", "child_ref": "1"}
    decided = {
        **own,
        "decided_at": records.START,
        "decider_role": "team_manager",
        "outcome_reason": "service_needed",
    }
    rows = [
        {**decided, "contact_reference": "assessed", "outcome_code": "assessment"},
        {**decided, "contact_reference": "held", "outcome_code": "held_for_agreement"},
        {**decided, "contact_reference": "nobody decided", "outcome_code": "assessment", "decider_role": None},
        {**decided, "contact_reference": "status held", "outcome_code": "assessment", "status": "held"},
        {**decided, "contact_reference": "status unread", "outcome_code": "assessment", "status_state": "unmapped"},
        {**decided, "contact_reference": "reason to hold", "outcome_code": "assessment", "held_reason": "agency_check"},
        {**decided, "contact_reference": "sender's", "outcome_code": "assessment", "record_role": "sent"},
        {**decided, "contact_reference": "nobody's", "outcome_code": "assessment", "record_role": None},
        {**own, "contact_reference": "closed case", "closure_date": today},
        {**own, "contact_reference": "closed tomorrow", "closure_date": today + timedelta(days=9)},
        {**own, "contact_reference": "sender closed", "closure_date": today, "record_role": "sent"},
    ]
    partner = {**decided, "contact_reference": "partner's", "outcome_code": "assessment", "closure_date": today}
    send(marts, rows, feed="referral", agency="wearside_council")
    send(marts, [partner], feed="referral")
    is_open = {
        row["contact_reference"]: listed(marts, row["contact_reference"], "is_open")[0][0] for row in [*rows, partner]
    }
    assert [reference for reference, is_still_open in is_open.items() if not is_still_open] == [
        "assessed",
        "closed case",
    ]


def test_safety_facts_that_are_missing_or_unread_raise_a_record(marts: Marts) -> None:
    calm = {"red_line_facts": ["none"]}
    send(
        marts,
        [
            police("calm", **calm),
            police("unread", red_line_facts=None, red_line_facts_state="unmapped"),
            police("baby", **calm, dob=records.START.date() - timedelta(days=90)),
            police("unborn", **calm, dob=None, name_status="unborn"),
            police("ungraded", **calm, child_risk_grade=None),
            police("red", **calm, child_risk_grade="red"),
        ],
    )
    order = records.rows(
        marts.connection,
        "select sender_reference from worklists.triage"
        " where sender_reference in ('calm', 'unread', 'baby', 'unborn', 'ungraded', 'red')"
        " order by has_protection_marker desc, is_ungraded desc, grade_ratio desc,"
        " age_reckoned_from desc nulls first, waiting_since",
    )
    assert [reference for (reference,) in order] == ["unborn", "baby", "unread", "ungraded", "red", "calm"]


def test_unpublished_delivery_is_on_no_list(marts: Marts) -> None:
    records.deliver(marts.connection, marts.house, "police", [police("unpublished")], status="checked")
    send(marts, [police("published")])
    assert listed(marts, "unpublished") == []


def test_children_are_numbered_by_agency_and_reference(marts: Marts) -> None:
    send(marts, [police("child a", child_ref="77")], [police("child b", child_ref="77")])
    assert records.rows(
        marts.connection,
        "select agency_code, first_received_at, last_received_at from core.dim_child where child_reference = '77'",
    ) == [("wearside_police", records.START, records.START + timedelta(days=1))]


def test_dead_letters_carry_their_clock(marts: Marts) -> None:
    delivery_id = records.deliver(marts.connection, marts.house, "police", [police("dead")])
    with marts.connection.cursor() as cursor:
        cursor.execute(
            "insert into quality.dead_letters"
            " (file_id, delivery_id, line_no, reason_code, reason, found_at, due_at, owner_role)"
            " select file_id, delivery_id, 3, 'TOO_SHORT', 'Too few cells.', received_at, received_at, 'data_engineer'"
            " from intake.deliveries where delivery_id = %s",
            (delivery_id,),
        )
    marts.connection.commit()
    records.build(marts.settings)
    ((agency, hours_left),) = records.rows(
        marts.connection,
        "select agency_code, hours_left from worklists.dead_letters where delivery_id = %s",
        delivery_id,
    )
    assert agency == "wearside_police"
    assert hours_left < 0
