"""What is past its time goes, what is open or held stays, and what was counted stays as it was counted.

Mend: frontdoor/delivery/retaining.py, dbt_project/seeds/retention.csv, dbt_project/macros/blocks.sql.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frontdoor import clock, delivery
from frontdoor.delivery import retaining
from frontdoor.intake import archive
from tests.integration.test_erasure import Here, notices, prepared

pytestmark = pytest.mark.on_both_servers

__all__ = ["prepared"]

MONTHS_25 = timedelta(days=27 * 31)


@pytest.fixture
def here(prepared: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Here]:
    yield Here(prepared, monkeypatch, capsys)


def later(here: Here, by: timedelta) -> None:
    here.monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + by)


def decide(here: Here, *deliveries: int) -> None:
    """Say of these deliveries' records that somebody has decided: no feed of the police carries that yet."""
    here.all("update worklists.triage set is_open = false where delivery_id = any(%s) returning 1", list(deliveries))


def held(here: Here) -> dict[int, int]:
    return dict(here.all("select _delivery_id, count(*) from raw.police group by 1"))


def test_what_is_old_goes_and_what_is_open_or_held_stays(here: Here) -> None:
    first, waiting, on_hold = (here.land(notices(seed)) for seed in (71, 72, 73))
    decide(here, first, on_hold)
    code, placed = here.command(
        "hold", "place", "--delivery", str(on_hold), "--reason", "A court asked for it.", "--by", "head_of_service"
    )
    assert code == 0
    assert here.command("retention")[1]["deliveries"] == [], "nothing is old"

    later(here, MONTHS_25)
    ((received,),) = here.all("select received_at from intake.deliveries where delivery_id = %s", first)
    recent = here.land(notices(74))
    indicators, failed = here.indicators(), here.failed()
    code, planned = here.command("retention", "--dry-run")
    assert code == 0 and not planned["applied"]
    assert planned["deliveries"] == [first]
    assert planned["kept"] == {"hold": [on_hold], "waiting": [waiting]}
    going = {each["what"]: (each["count"], each["oldest"]) for each in planned["going"]}
    month = received.date().isoformat()
    assert going["raw.police"] == going["raw.police_read"] == going["worklists.triage"] == (5, month)
    assert going["archive"] == (1, month) and "quality.findings" not in going
    assert held(here) == {first: 5, waiting: 5, on_hold: 5, recent: 5}, "a dry run deletes nothing"

    code, done = here.command("retention", "--apply")
    assert code == 0 and done["applied"] and done["deliveries"] == [first]
    assert held(here) == {waiting: 5, on_hold: 5, recent: 5}
    assert here.all("select 1 from worklists.triage where delivery_id = %s", first) == []
    assert here.all("select count(*) from worklists.triage") == [(15,)]
    ((token, sha256, name),) = here.all(
        "select stored_name, sha256_received, file_name from intake.files inner join intake.deliveries using (file_id)"
        " where delivery_id = %s", first,
    )  # fmt: skip
    assert (token, name) == (None, retaining.PAST) and len(sha256) == 64, "the ledger keeps the hash"
    assert len(list(archive.each(here.settings))) == 3
    assert here.indicators() == indicators and here.failed() == failed
    assert here.all("select 1 from worklists.reconciliation_breaks") == []
    assert here.command("replay", "--delivery", str(first))[0] == 2, "judged again it would seem to hold nothing"
    assert delivery.replay(here.settings, [first]) == 0
    assert here.command("retention", "--apply")[1]["deliveries"] == []

    # What stayed goes when its reason does; then the month is empty, and goes as a whole.
    decide(here, waiting)
    assert here.command("hold", "lift", str(placed["hold_id"]), "--by", "head_of_service")[0] == 0
    here.monkeypatch.setattr(retaining, "_drop", lambda *_: (_ for _ in ()).throw(SystemExit("killed")))
    with pytest.raises(SystemExit):
        retaining.apply(here.settings)
    here.monkeypatch.undo()
    again = Here(here.database, here.monkeypatch, here.capsys)
    later(again, MONTHS_25)
    assert len(again.command("retention", "--apply")[1]["partitions"]) == 2, "what a killed run left is found"
    assert held(again) == {recent: 5} and len(list(archive.each(again.settings))) == 1
    assert again.indicators() == indicators and again.failed() == failed
    months = [
        name
        for (name,) in again.all(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'raw.police'::regclass"
        )
    ]
    assert f"raw.police_y{received:%Y}m{received:%m}" not in months

    # Made anew, the counts of what is gone are there, and a correction of what stayed counts beside them.
    again.all("drop table core.fct_sufficiency, core.fct_notification_telling cascade; select 1")
    delivery.build(again.settings, even_if_nothing=True)
    again.land(notices(75))
    now = {tuple(row[:7]): row for row in again.indicators()}
    assert all(now[tuple(row[:7])][8] >= row[8] for row in indicators), "no denominator has shrunk"


def test_unread_lines_keep_their_delivery_until_they_are_followed_up(here: Here) -> None:
    one = here.land(notices(76) + b'"torn line\n')
    decide(here, one)
    later(here, MONTHS_25)
    assert here.command("retention")[1]["kept"]["unread"] == [one]
    ((letter,),) = here.all("select dead_letter_id from quality.dead_letters where delivery_id = %s", one)
    assert here.command("unread", "close", str(letter), "--outcome", "held_nothing", "--by", "team_manager")[0] == 0
    assert here.command("retention", "--apply")[1]["deliveries"] == [one]


def test_findings_and_letters_go_after_their_own_time_and_scores_stay(here: Here) -> None:
    one = here.land(notices(77, {"surname": "", "narrative": ""}))
    decide(here, one)
    later(here, timedelta(days=86 * 31))
    failed = here.failed()
    assert {delivery_id for delivery_id, *_ in failed} >= {one}
    done = here.command("retention", "--apply")[1]
    assert one in done["findings_of"]
    assert here.all("select 1 from quality.findings where delivery_id = %s", one) == []
    assert here.all("select 1 from alerts.messages where delivery_id = %s", one) == []
    delivery.build(here.settings, even_if_nothing=True)
    assert here.failed() == failed
    assert list((here.settings.receipts / "wearside_police").glob(f"delivery-{one}.*")) == []


def test_record_that_was_sent_again_stays_on_the_list(here: Here) -> None:
    file = notices(78)
    one = here.land(file)
    decide(here, one)
    later(here, MONTHS_25)
    here.land(file + b"\r\n")
    decide(here, one)
    found = here.command("retention", "--apply")[1]
    assert found["kept"]["repeated"] == [one] and one not in found["deliveries"]
    assert here.all("select count(*) from worklists.triage where delivery_id = %s", one) == [(5,)]


def test_marts_still_hold_everything_that_was_received(here: Here) -> None:
    """The data tests of the marts, after all that the tests above let go."""
    here.all("update warehouse.builds set tests_at = null returning 1")
    later(here, timedelta(days=87 * 31))
    delivery.build(here.settings, even_if_nothing=True)
    ((failed, when),) = here.all("select tests_failed, tests_at from warehouse.builds order by build_id desc limit 1")
    assert failed == [] and when is not None
