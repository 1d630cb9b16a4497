"""The command line: ``frontdoor COMMAND``. One module per group of commands; each adds its own to the parser.

Exit codes: 0 done, whatever the data's quality; 1 the system failed; 2 wrong usage, unknown agency or feed;
3 ``--wait`` ran out; 4 ``check --strict`` found what must be mended.

With ``--json`` one document goes to stdout and everything else to stderr. What is printed of a failure is our own
sentence, or an error's class and what the system says of its number, never its text, which may quote a record.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from frontdoor.cli.output import UsageMistake, fail, start_log

OK, FAILED, WRONG_USAGE, WAITED_IN_VAIN, MUST_BE_MENDED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    from frontdoor import settings
    from frontdoor.cli.parser import build

    arguments = build().parse_args(argv)
    wants_json = getattr(arguments, "json", False)
    _unwind_when_ended()
    try:
        here = settings.load()
        start_log(here.log_format)
        return int(arguments.run(arguments, here))
    except (UsageMistake, settings.SettingsError) as error:
        fail(str(error), wants_json)
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has heard enough; without this Python complains when it flushes at exit.
        sys.stdout = None
        return OK
    except Exception as error:
        fail(_sentence(error), wants_json)
        return FAILED


def _unwind_when_ended() -> None:
    """Let SIGTERM clean up as Ctrl-C does: a copy that is half made lies on this disk in plain."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _sentence(error: Exception) -> str:
    from frontdoor.database import DatabaseUnavailable, safe_error
    from frontdoor.intake.volumes import why

    if isinstance(error, DatabaseUnavailable) or getattr(error, "is_safe_to_show", False):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(__file__).parents[1])]
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"failed{where}: {safe_error(error)}{f' ({why(error)})' if isinstance(error, OSError) else ''}"
