"""Settings and clock. Failing? Look at frontdoor/settings.py and frontdoor/clock.py."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frontdoor import clock
from frontdoor import settings as setting


def test_nothing_set_puts_everything_below_the_home() -> None:
    loaded = setting.load({})
    assert loaded.home == Path(".frontdoor").absolute()
    assert (loaded.landing, loaded.mail_dir, loaded.archive) == tuple(
        loaded.home / name for name in ("landing", "mail", "archive")
    )
    assert (loaded.database_url, loaded.smtp_url, loaded.now) == (None, None, None)
    assert (loaded.settle_seconds, loaded.sweep_seconds) == (1, 60)


def test_empty_variable_counts_as_absent() -> None:
    assert setting.load({"FRONTDOOR_DATABASE_URL": " ", "FRONTDOOR_NOW": ""}) == setting.load({})


def test_settings_handed_to_a_child_are_the_same_settings(tmp_path: Path) -> None:
    given = setting.load(
        {
            "FRONTDOOR_HOME": str(tmp_path),
            "FRONTDOOR_MAIL_DIR": str(tmp_path / "elsewhere"),
            "FRONTDOOR_DATABASE_URL": "postgresql://somebody@somewhere/something",
            "FRONTDOOR_NOW": "2026-03-29T01:30:00+01:00",
            "FRONTDOOR_SWEEP_SECONDS": "2.5",
            "FRONTDOOR_LOG_FORMAT": "json",
            "FRONTDOOR_METRICS": f"file:{tmp_path}/metrics.prom",
            "FRONTDOOR_LINEAGE": "https://somewhere:5000",
        }
    )
    assert setting.load(setting.as_environment(given)) == given


def test_archive_and_landing_zone_may_be_folders_or_addresses(tmp_path: Path) -> None:
    given = setting.load(
        {
            "FRONTDOOR_HOME": str(tmp_path),
            "FRONTDOOR_ARCHIVE": "s3://bucket/archive/",
            "FRONTDOOR_LANDING": "abfs://container/landing",
            "FRONTDOOR_ARCHIVE_KEY_FILE": str(tmp_path / "key"),
        }
    )
    assert (given.archive_url, given.landing_url) == ("s3://bucket/archive", "abfs://container/landing")
    assert given.landing == tmp_path / "landing", "where what comes from the store is brought"
    assert given.archive_key == tmp_path / "key"
    assert setting.load(setting.as_environment(given)) == given
    for text in (str(tmp_path / "kept"), f"file://{tmp_path}/kept"):
        local = setting.load({"FRONTDOOR_HOME": str(tmp_path), "FRONTDOOR_ARCHIVE": text, "FRONTDOOR_LANDING": text})
        assert (local.archive, local.archive_url) == (tmp_path / "kept", None)
        assert (local.landing, local.landing_url) == (tmp_path / "kept", None)


def test_relative_home_becomes_absolute() -> None:
    assert setting.load({"FRONTDOOR_HOME": "x"}).home == Path("x").absolute()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-07-02T09:00:00+01:00", datetime(2026, 7, 2, 8, tzinfo=UTC)),
        ("2026-03-02T09:00:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    ],
)
def test_pinned_time_is_read_as_utc(monkeypatch: pytest.MonkeyPatch, text: str, expected: datetime) -> None:
    monkeypatch.setenv("FRONTDOOR_NOW", text)
    assert clock.now() == expected
    assert clock.now().utcoffset() == timedelta(0)


def test_unpinned_time_is_aware_and_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRONTDOOR_NOW", raising=False)
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NOW", "yesterday"),
        ("SETTLE_SECONDS", "soon"),
        ("SETTLE_SECONDS", "-1"),
        ("SWEEP_SECONDS", "nan"),
        ("SWEEP_SECONDS", "inf"),
    ],
)
def test_unreadable_setting_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(setting.SettingsError, match=f"FRONTDOOR_{name}"):
        setting.load({f"FRONTDOOR_{name}": text})


def test_nobody_is_told_anything_unless_it_is_set() -> None:
    loaded = setting.load({})
    assert (loaded.metrics, loaded.lineage, loaded.log_format) == (None, None, "text")


def test_file_to_be_written_is_an_absolute_one() -> None:
    given = {"FRONTDOOR_METRICS": "file:metrics.prom", "FRONTDOOR_LINEAGE": "file:///somewhere/lineage.jsonl"}
    loaded = setting.load(given)
    assert loaded.metrics == f"file:{Path('metrics.prom').absolute()}"
    assert loaded.lineage == "file:/somewhere/lineage.jsonl"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("METRICS", "http://somewhere"),
        ("METRICS", "statsd:"),
        ("METRICS", "otlp+http://"),
        ("LINEAGE", "statsd://somewhere:8125"),
        ("LINEAGE", "somewhere"),
        ("LOG_FORMAT", "yaml"),
    ],
)
def test_address_of_no_kind_that_is_known_is_refused_and_not_quoted(name: str, text: str) -> None:
    with pytest.raises(setting.SettingsError) as raised:
        setting.load({f"FRONTDOOR_{name}": text})
    assert name in str(raised.value)
    assert "somewhere" not in str(raised.value)
