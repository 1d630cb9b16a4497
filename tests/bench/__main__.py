"""Run every benchmark and print one table. ``python -m tests.bench [name ...]`` runs some of them.

Names: latency, load, formats, judge, burst, beside. Each is a module with ``run(scratch: Path) -> list[Figure]``.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import Figure

ALL = ("latency", "burst", "beside", "load", "formats", "judge")


def main(names: list[str]) -> int:
    """Measure, print, and return 1 when a bar was missed."""
    figures: list[Figure] = []
    for name in names or ALL:
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        try:
            print(f"# {name} ...", file=sys.stderr, flush=True)
            figures += importlib.import_module(f"tests.bench.{name}").run(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    print("| what | bar | measured | |\n|---|---|---|---|")
    for figure in figures:
        said = {True: "met", False: "**missed**", None: ""}[figure.met]
        print(f"| {figure.what} | {figure.bar} | {figure.measured} | {said} |")
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
