"""`python -m tests.lint_sql [PATHS]`: sqlfluff over the marts as dbt renders them.

dbt asks the database which relations exist before it renders a model, so this starts a server of its own, with the
tables that Python owns in it, and stops it again.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from frontdoor import database, settings
from frontdoor.platform import postgres
from frontdoor.prepare import prepare

REPOSITORY = Path(__file__).resolve().parents[1]


def main(paths: list[str]) -> int:
    """Lint `paths` (by default all models); sqlfluff's exit code."""
    home = Path(tempfile.mkdtemp(prefix="frontdoor-lint-"))
    here = settings.load({"FRONTDOOR_HOME": str(home)})
    try:
        server = postgres.start(here, durable=False, preferred_port=0)
        prepare(here)
        return subprocess.run(
            [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", *(paths or ["dbt_project/models"])],
            cwd=REPOSITORY,
            env={**settings.inherited_environment(), **_dbt(server, home)},
            check=False,
        ).returncode
    finally:
        postgres.stop(here)
        shutil.rmtree(home, ignore_errors=True)


def _dbt(server: database.Server, home: Path) -> dict[str, str]:
    return {
        "FRONTDOOR_DBT_HOST": server.host,
        "FRONTDOOR_DBT_PORT": str(server.port),
        "FRONTDOOR_DBT_NAME": server.name,
        "FRONTDOOR_DBT_USER": server.owner,
        "PGPASSFILE": str(server.passfile),
        "DBT_TARGET_PATH": str(home / "dbt" / "target"),
        "DBT_LOG_PATH": str(home / "dbt" / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
