"""What tests share: settings of their own, and a real Postgres that starts when the first test asks for it.

One embedded server serves the whole run; each test module gets a fresh database, copied from a migrated one.
"""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2.extensions
import pytest

from frontdoor import database as connections
from frontdoor import settings as setting
from frontdoor.settings import Settings
from tests.live import (  # noqa: F401  a fixture and hooks, which pytest finds by their standing here
    live,
    pytest_collection_modifyitems,
    pytest_runtest_teardown,
    pytest_xdist_make_scheduler,
)

MIGRATED = "frontdoor_migrated"
# Each module's database has the same name, for dbt's parsed project holds it, and takes seconds to make.
OWN = "frontdoor_tests"
HOME_PREFIX = "frontdoor-tests-"


@dataclass(frozen=True)
class Database:
    """A fresh, migrated database; everything in it belongs to one test module."""

    settings: Settings

    def connect(self) -> psycopg2.extensions.connection:
        """A new connection as the owner; the caller closes it."""
        return connections.connect(self.settings, application_name="tests")


def pytest_configure() -> None:
    """Let a termination unwind like Ctrl-C, so that no server outlives the run that started it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def make_settings(home: Path, **variables: str) -> Settings:
    """Settings of a platform in `home` that takes files at once; `variables` are FRONTDOOR_ names without prefix."""
    given = {"HOME": str(home), "SETTLE_SECONDS": "0", **variables}
    loaded = setting.load({setting.PREFIX + name: value for name, value in given.items()})
    for folder in (loaded.home, loaded.landing, loaded.mail_dir):
        folder.mkdir(parents=True, exist_ok=True)
    return loaded


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty home; no database."""
    return make_settings(tmp_path / "home")


@pytest.fixture(scope="session")
def server() -> Iterator[Settings]:
    """Settings of the home whose embedded server all tests share; its databases are the modules' own."""
    from frontdoor.platform import postgres

    _end_servers_of_killed_runs()
    own = psutil.Process()
    home = Path(tempfile.mkdtemp(prefix=f"{HOME_PREFIX}{own.pid}-{int(own.create_time())}-"))
    here = make_settings(home)
    try:
        postgres.start(here, durable=False, preferred_port=0)
        _create_database(here, MIGRATED)
        _migrate(_settings_of(here, MIGRATED, home / MIGRATED))
        yield here
    finally:
        postgres.stop(here)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def database(
    server: Settings, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A fresh migrated database for this module, with a home, landing zone and mail folder of its own."""
    from frontdoor.platform import postgres

    _create_database(server, OWN, template=MIGRATED)
    yield Database(_settings_of(server, OWN, tmp_path_factory.mktemp(request.module.__name__.rsplit(".", 1)[-1])))
    administrator = postgres.superuser_connection(server)
    with administrator.cursor() as cursor:
        cursor.execute(f'drop database "{OWN}" with (force)')
    administrator.close()


def _create_database(server: Settings, name: str, template: str = "template1") -> None:
    from frontdoor.platform import postgres

    administrator = postgres.superuser_connection(server)
    with administrator.cursor() as cursor:
        readers = (connections.BI_READER,)
        postgres.create_database(cursor, name, postgres.OWNER, template=template, readers=readers)
    administrator.close()


def _settings_of(server: Settings, name: str, home: Path) -> Settings:
    found = connections.locate(server)
    url = f"postgresql://{found.owner}@{found.host}:{found.port}/{name}?passfile={found.passfile}"
    return make_settings(home, DATABASE_URL=url)


def _migrate(settings: Settings) -> None:
    from frontdoor import warehouse

    opened = connections.connect(settings)
    warehouse.migrate(opened)
    opened.commit()
    opened.close()


def _end_servers_of_killed_runs() -> None:
    from frontdoor.platform import postgres

    for home in Path(tempfile.gettempdir()).glob(f"{HOME_PREFIX}*-*-*"):
        pid, started = home.name.removeprefix(HOME_PREFIX).split("-")[:2]
        if psutil.pid_exists(int(pid)) and int(psutil.Process(int(pid)).create_time()) == int(started):
            continue
        postgres.stop(make_settings(home))
        shutil.rmtree(home, ignore_errors=True)
