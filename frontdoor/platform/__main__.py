"""`python -m frontdoor.platform`: bring the platform of this home up and stay until told to stop."""

import sys

from frontdoor import settings
from frontdoor.database import DatabaseUnavailable
from frontdoor.platform import PlatformError, up


def main() -> int:
    """Run until Ctrl-C or a termination; 1 when the platform does not come up."""
    try:
        with up(settings.load()) as platform:
            print(f"Ready: {platform.airflow.url if platform.airflow else 'database only'}", flush=True)
            platform.wait()
    except KeyboardInterrupt:
        return 0
    except (PlatformError, DatabaseUnavailable, settings.SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
