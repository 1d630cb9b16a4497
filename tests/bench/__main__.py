"""Run every benchmark and print one table, row by row. ``python -m tests.bench [name ...]`` runs some of them.

Names: latency, load, formats, judge, burst, beside, restore. Each is a module with ``run(scratch: Path) -> Iterable[Figure]``.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

ALL = ("latency", "burst", "beside", "load", "formats", "judge", "restore")


def main(names: list[str]) -> int:
    """Measure, print each figure when it is known, and return 1 when a bar was missed."""
    is_missed = False
    print("| what | bar | measured | |\n|---|---|---|---|", flush=True)
    for name in names or ALL:
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        try:
            print(f"# {name} ...", file=sys.stderr, flush=True)
            for figure in importlib.import_module(f"tests.bench.{name}").run(scratch):
                said = {True: "met", False: "**missed**", None: ""}[figure.met]
                print(f"| {figure.what} | {figure.bar} | {figure.measured} | {said} |", flush=True)
                is_missed |= figure.met is False
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return int(is_missed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
