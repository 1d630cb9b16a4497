"""``python -m frontdoor``: the command line, where no script was installed."""

import sys

from frontdoor.cli import main

if __name__ == "__main__":
    sys.exit(main())
