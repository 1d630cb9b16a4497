"""From ``deliver`` to ``ingest`` to ``replay``, without Airflow, on real Postgres. Mend: frontdoor/cli/, delivery.py.

The tests go on where the one before ended.
"""

from __future__ import annotations

import email
import email.policy
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontdoor import cli
from frontdoor import settings as setting

pytestmark = pytest.mark.on_both_servers

CANARIES = ("Canary", "lowest", "Jane")


@pytest.fixture(autouse=True)
def environment(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in setting.as_environment(database.settings).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def connection(database: Any) -> Iterator[Any]:
    opened = database.connect()
    opened.autocommit = True
    yield opened
    opened.close()


def run(capsys: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    assert cli.main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def sample(folder: Path, *more: str, name: str = "Jane Canary.csv") -> str:
    file = folder / name
    arguments = ["feed", "sample", "police", "--agency", "wearside_police", "--records", "12", "--out", str(file)]
    assert cli.main([*arguments, *more]) == 0
    return str(file)


def sent(database: Any) -> list[Any]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(database.settings.mail_dir.glob("*.eml"))
    ]


def test_poor_file_goes_all_the_way_and_its_liaison_is_told_once(
    database: Any, connection: Any, tmp_path: Path, capsys: Any
) -> None:
    file = sample(tmp_path, "--break", "POL-020")
    capsys.readouterr()
    # One waits while the other works, as two people at two terminals.
    found: dict[str, Any] = {}

    def wait() -> None:
        found["code"] = cli.main(
            ["deliver", file, "--agency", "wearside_police", "--feed", "police", "--wait", "240", "--json"]
        )

    waiting = threading.Thread(target=wait)
    waiting.start()
    landing = database.settings.landing / "wearside_police" / "police"
    while waiting.is_alive() and not any(path.suffix == ".csv" for path in landing.glob("*")):
        waiting.join(0.05)
    assert cli.main(["ingest"]) == 0
    waiting.join(30)
    assert found["code"] == 0
    lines = capsys.readouterr().out.splitlines()
    document = json.loads(next(line for line in lines if line.startswith("{")))
    ((delivery,),) = (document["deliveries"],)
    assert (document["status"], delivery["status"]) == ("received", "published")
    assert delivery["verdict"] == "accepted_with_findings"
    assert (delivery["records_in"], delivery["records_loaded"], delivery["records_dead"]) == (12, 12, 0)
    assert delivery["findings"]["critical"] == 1
    assert all(delivery[at] for at in ("published_at", "built_at", "alerted_at"))
    (mail,) = sent(database)
    text = " ".join(mail.get_content().split())
    assert f"delivery {delivery['delivery_id']}" in mail["Subject"]
    assert "12 records received, 12 on the front door's list, 1 needs an answer." in text
    assert "POL-020, critical, in 1 record" in text and "999" in text
    with connection.cursor() as cursor:
        cursor.execute("select forename, surname, notification_ref from raw.police")
        values = {str(value) for row in cursor.fetchall() for value in row if value}
        cursor.execute(
            "select _record_no + 1 from raw.police_read where child_risk_grade_state <> 'ok' and _delivery_id = %s",
            (delivery["delivery_id"],),
        )
        ((row_no,),) = cursor.fetchall()
    assert f"Rows of your file: {row_no}." in text
    assert not [value for value in (*values, *CANARIES) if value in str(mail)]


def test_replay_tells_nobody_unless_asked(database: Any, connection: Any, capsys: Any) -> None:
    before = len(sent(database))
    (file,) = run(capsys, "status")["files"]
    delivery_id = str(file["deliveries"][0]["delivery_id"])
    assert run(capsys, "replay", "--delivery", delivery_id)["replayed"] == 1
    assert len(sent(database)) == before
    assert run(capsys, "replay", "--agency", "wearside_police", "--feed", "police", "--notify")["replayed"] == 1
    assert len(sent(database)) == before + 1
    (file,) = run(capsys, "status", "--delivery", delivery_id)["files"]
    assert file["deliveries"][0]["findings"]["critical"] == 1
    assert file["deliveries"][0]["built_at"]


def test_same_bytes_again_and_a_dead_file_end_where_they_should(
    database: Any, connection: Any, tmp_path: Path, capsys: Any
) -> None:
    before = len(sent(database))
    again = sample(tmp_path, "--break", "POL-020", name="another name.csv")
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    for file in (again, str(empty)):
        assert cli.main(["deliver", file, "--agency", "wearside_police", "--feed", "police"]) == 0
    (database.settings.landing / "strangers" / "police").mkdir(parents=True)
    (database.settings.landing / "strangers" / "police" / "Jane Canary.csv").write_text("name\nCanary\n")
    capsys.readouterr()
    run(capsys, "ingest")
    files = run(capsys, "status")["files"]
    by_status = {}
    for file in files:
        by_status.setdefault(file["status"], []).append(file)
    (duplicate,) = by_status["duplicate"]
    assert duplicate["duplicate_of"] in {file["file_id"] for file in by_status["received"]}
    assert len(by_status["dead_letter"]) == 2
    assert all(file["reason"] for file in by_status["dead_letter"])
    assert {file["agency_code"] for file in by_status["dead_letter"]} == {"wearside_police", "unknown"}
    new = sent(database)
    assert len(new) == before + 2
    told = sorted(str(mail["To"]) for mail in new)
    assert told[0] == "frontdoor-data-engineer@frontdoor.example"
    assert told[1].endswith("@wearside-police.example")
    assert not [word for word in CANARIES for mail in new if word in str(mail)]
    pending = run(capsys, "status")["pending"]
    assert pending == dict.fromkeys(pending, 0)
