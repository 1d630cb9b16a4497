"""Where things are and how the platform behaves: the only reader of the environment.

Everything else takes a `Settings` as an argument, so a test or a second platform on the same machine needs no
patching of the environment. Secrets are never settings: they are files with mode 0600, named here by path.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PREFIX = "FRONTDOOR_"
# The first is the default.
LOG_FORMATS = ("text", "json")
METRICS_SCHEMES = ("statsd", "otlp+http", "otlp+https", "file")
LINEAGE_SCHEMES = ("http", "https", "file")
LOCAL = "file://"


class SettingsError(ValueError):
    """A setting that cannot be read; the message names it and what was expected."""


@dataclass(frozen=True)
class Settings:
    """One platform: its folders, its databases, how mail leaves it, and how patient it is (seconds)."""

    home: Path
    landing: Path
    # Of an object store that files also come from; those are brought into the folder of that name when they are taken.
    landing_url: str | None
    mail_dir: Path
    archive: Path
    # Of an object store, where the folder of that name is not meant: s3://bucket/prefix, abfs://container/prefix.
    archive_url: str | None
    archive_key: Path
    receipts: Path
    database_url: str | None
    airflow_database_url: str | None
    airflow_broker_url: str | None
    airflow_broker_password_file: Path | None
    airflow_api_url: str | None
    airflow_url: str
    airflow_login: str
    smtp_url: str | None
    smtp_password_file: Path | None
    contacts: Path | None
    now: datetime | None
    settle_seconds: float
    sweep_seconds: float
    # How our own logs are written: text or json.
    log_format: str = "text"
    # Where figures and lineage go: statsd://host:port, otlp+http(s)://..., file:...; http(s)://... . None: nowhere.
    metrics: str | None = None
    lineage: str | None = None


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ` (by default the process's own). Raises `SettingsError`."""
    source = os.environ if environ is None else environ
    home = _path(source, "HOME") or Path(".frontdoor").absolute()
    return Settings(
        home=home,
        landing=_folder(source, "LANDING") or home / "landing",
        landing_url=_url(source, "LANDING"),
        mail_dir=_path(source, "MAIL_DIR") or home / "mail",
        archive=_folder(source, "ARCHIVE") or home / "archive",
        archive_url=_url(source, "ARCHIVE"),
        archive_key=_path(source, "ARCHIVE_KEY_FILE") or home / "secrets" / "archive_key",
        receipts=_path(source, "RECEIPTS") or home / "receipts",
        database_url=_text(source, "DATABASE_URL"),
        airflow_database_url=_text(source, "AIRFLOW_DATABASE_URL"),
        airflow_broker_url=_text(source, "AIRFLOW_BROKER_URL"),
        airflow_broker_password_file=_path(source, "AIRFLOW_BROKER_PASSWORD_FILE"),
        airflow_api_url=_text(source, "AIRFLOW_API_URL"),
        airflow_url=_text(source, "AIRFLOW_URL") or "http://127.0.0.1:8080",
        airflow_login=_one_of(source, "AIRFLOW_LOGIN", ("simple", "fab")),
        smtp_url=_text(source, "SMTP_URL"),
        smtp_password_file=_path(source, "SMTP_PASSWORD_FILE"),
        contacts=_path(source, "CONTACTS"),
        now=pinned_now(source),
        settle_seconds=_seconds(source, "SETTLE_SECONDS", 1.0),
        sweep_seconds=_seconds(source, "SWEEP_SECONDS", 60.0),
        log_format=_one_of(source, "LOG_FORMAT", LOG_FORMATS),
        metrics=_target(source, "METRICS", METRICS_SCHEMES),
        lineage=_target(source, "LINEAGE", LINEAGE_SCHEMES),
    )


def pinned_now(environ: Mapping[str, str] | None = None) -> datetime | None:
    """The instant that FRONTDOOR_NOW sets, in UTC, or None when time is the real one."""
    text = _text(os.environ if environ is None else environ, "NOW")
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{PREFIX}NOW must be an ISO 8601 time such as 2026-03-02T09:00:00Z") from None
    # An instant without an offset is UTC: the machine's own zone must not change what a simulation does.
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def as_environment(settings: Settings) -> dict[str, str]:
    """The variables from which a child process reads these same settings (only those that are set)."""
    values = {
        "HOME": settings.home,
        "LANDING": settings.landing_url or settings.landing,
        "MAIL_DIR": settings.mail_dir,
        "ARCHIVE": settings.archive_url or settings.archive,
        "ARCHIVE_KEY_FILE": settings.archive_key,
        "RECEIPTS": settings.receipts,
        "DATABASE_URL": settings.database_url,
        "AIRFLOW_DATABASE_URL": settings.airflow_database_url,
        "AIRFLOW_BROKER_URL": settings.airflow_broker_url,
        "AIRFLOW_BROKER_PASSWORD_FILE": settings.airflow_broker_password_file,
        "AIRFLOW_API_URL": settings.airflow_api_url,
        "AIRFLOW_URL": settings.airflow_url,
        "AIRFLOW_LOGIN": settings.airflow_login,
        "SMTP_URL": settings.smtp_url,
        "SMTP_PASSWORD_FILE": settings.smtp_password_file,
        "CONTACTS": settings.contacts,
        "NOW": settings.now.isoformat() if settings.now else None,
        "SETTLE_SECONDS": settings.settle_seconds,
        "SWEEP_SECONDS": settings.sweep_seconds,
        "LOG_FORMAT": settings.log_format,
        "METRICS": settings.metrics,
        "LINEAGE": settings.lineage,
    }
    return {PREFIX + name: str(value) for name, value in values.items() if value is not None}


def inherited_environment() -> dict[str, str]:
    """This process's environment without our own settings, for children that `as_environment` is added to."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _text(source: Mapping[str, str], name: str) -> str | None:
    return source.get(PREFIX + name, "").strip() or None


def _path(source: Mapping[str, str], name: str) -> Path | None:
    text = _text(source, name)
    return Path(text).expanduser().absolute() if text else None


def _url(source: Mapping[str, str], name: str) -> str | None:
    text = _text(source, name)
    return text.rstrip("/") if text and "://" in text and not text.startswith(LOCAL) else None


def _folder(source: Mapping[str, str], name: str) -> Path | None:
    if _url(source, name) is not None:
        return None
    text = _text(source, name)
    return Path(text.removeprefix(LOCAL)).expanduser().absolute() if text else None


def _seconds(source: Mapping[str, str], name: str, default: float) -> float:
    text = _text(source, name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise SettingsError(f"{PREFIX}{name} must be a number of seconds, zero or more")
    return seconds


def _one_of(source: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    text = (_text(source, name) or known[0]).lower()
    if text not in known:
        raise SettingsError(f"{PREFIX}{name} must be one of: {', '.join(known)}")
    return text


def _target(source: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    """Return ``file:<absolute path>`` or the address as given; the message quotes nothing, for it may hold a key."""
    text = _text(source, name)
    if text is None:
        return None
    scheme, _, rest = text.partition(":")
    if scheme not in schemes or not rest.strip("/"):
        raise SettingsError(f"{PREFIX}{name} must be an address that begins with one of: {', '.join(schemes)}")
    return f"file:{Path(rest).expanduser().absolute()}" if scheme == "file" else text
