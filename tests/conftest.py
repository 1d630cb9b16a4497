"""What tests share: settings of their own, and a real Postgres that starts when the first test asks for it.

One embedded server serves the whole run; each test module gets a fresh database, copied from a migrated one. Modules
that say `pytestmark = pytest.mark.on_both_servers` are run a second time, on Debian's Postgres 15 (tests/servers.py).
"""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2.extensions
import pytest

from frontdoor import database as connections
from frontdoor import settings as setting
from frontdoor.settings import Settings
from tests import servers
from tests.live import (  # noqa: F401  a fixture and hooks, which pytest finds by their standing here
    live,
    pytest_collection_modifyitems,
    pytest_runtest_teardown,
    pytest_xdist_make_scheduler,
)
from tests.servers import SharedServer

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


EMBEDDED, DEBIAN = "embedded", "postgres_15"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a developer run whatever he likes on the other server, and what has a command of its own."""
    parser.addoption("--postgres-15", action="store_true", help="run every test on Debian's Postgres 15 alone")
    parser.addoption("--containers", action="store_true", help="also what needs podman and root: make test-containers")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the tests of containers out of `make test`: they want the whole machine, and have a command of their own."""
    if collection_path.name == "containers" and not config.getoption("--containers"):
        return True
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run modules that say `pytestmark = pytest.mark.on_both_servers` on either server, one after the other."""
    if "shared_server" not in metafunc.fixturenames:
        return
    if metafunc.config.getoption("--postgres-15"):
        metafunc.parametrize("shared_server", (DEBIAN,), indirect=True, scope="module")
    elif metafunc.definition.get_closest_marker("on_both_servers"):
        metafunc.parametrize("shared_server", (EMBEDDED, DEBIAN), indirect=True, scope="module")


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[SharedServer]:
    """The embedded server that all tests share; its databases are the modules' own."""
    with _home_of_a_server() as here:
        server = servers.start_embedded(here)
        server.create_database(MIGRATED, "template1")
        _migrate(_settings_of(server, MIGRATED, here.home / MIGRATED))
        yield server


@pytest.fixture(scope="session")
def debian_server() -> Iterator[SharedServer]:
    """The same on Debian's Postgres 15, over verified TLS, in databases that compare texts as the British do."""
    if not servers.DEBIAN_15.is_dir():
        # A newcomer has no other server, and all is asked of the embedded one; .ci/run installs it and fails on any skip.
        pytest.skip(servers.MISSING)
    with _home_of_a_server() as here:
        server = servers.start_debian(here)
        with closing(server.administrator()) as administrator, administrator.cursor() as cursor:
            cursor.execute(f"create database {MIGRATED}")  # made by hand, as the cluster has it
        settings = _settings_of(server, MIGRATED, here.home / MIGRATED)
        servers.create_roles(server, settings)
        with closing(server.administrator()) as administrator, administrator.cursor() as cursor:
            cursor.execute(f"alter database {MIGRATED} owner to {connections.OWNER}")
        _migrate(settings)
        yield server


@pytest.fixture(scope="module")
def shared_server(request: pytest.FixtureRequest) -> SharedServer:
    """The embedded server; for modules that are marked so, Debian's as well."""
    return request.getfixturevalue(
        f"{'debian' if getattr(request, 'param', EMBEDDED) == DEBIAN else 'embedded'}_server"
    )


@pytest.fixture(scope="module")
def database(
    shared_server: SharedServer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A fresh migrated database for this module, with a home, landing zone and mail folder of its own."""
    shared_server.create_database(OWN, MIGRATED)
    home = tmp_path_factory.mktemp(request.module.__name__.rsplit(".", 1)[-1])
    yield Database(_settings_of(shared_server, OWN, home))
    shared_server.drop_database(OWN)


@contextmanager
def _home_of_a_server() -> Iterator[Settings]:
    from frontdoor.platform import postgres

    _end_servers_of_killed_runs()
    own = psutil.Process()
    here = make_settings(Path(tempfile.mkdtemp(prefix=f"{HOME_PREFIX}{own.pid}-{int(own.create_time())}-")))
    try:
        yield here
    finally:
        postgres.stop(here)
        shutil.rmtree(here.home, ignore_errors=True)


def _settings_of(server: SharedServer, name: str, home: Path) -> Settings:
    return make_settings(home, DATABASE_URL=server.url(name))


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
