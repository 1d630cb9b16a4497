"""Passwords in libpq's passfile format, in files that only their owner may read."""

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from frontdoor.files import write_whole


@dataclass(frozen=True)
class Login:
    """One line of a passfile; `*` in host or port means any."""

    host: str
    port: str
    role: str
    password: str = field(repr=False)


def write_passfile(path: Path, logins: list[Login]) -> None:
    """Write `logins`; the passwords are ours and url-safe, so nothing needs escaping."""
    write_whole(path, _lines(logins))


def new_password() -> str:
    """One that nobody guesses, url-safe."""
    return secrets.token_urlsafe(32)


def add_logins(path: Path, logins: list[Login]) -> None:
    """Put `logins` before whatever the file holds (the first that fits counts), and leave the rest as it was."""
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    write_whole(path, _lines(logins) + kept)


def find_password(path: Path, host: str, port: int, name: str, role: str) -> str | None:
    """The password that libpq would find there: of the first line that fits; None without one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        # A backslash stands before a colon, or a backslash, that is part of a field.
        fields = [re.sub(r"\\(.)", r"\1", field) for field in re.findall(r"(?:^|(?<=:))((?:\\.|[^:\\])*)", line)]
        if len(fields) == 5 and not line.startswith("#"):
            asked = zip(fields, (host, str(port), name, role), strict=False)
            if all(given in ("*", wanted) for given, wanted in asked):
                return fields[4]
    return None


def read_passwords(path: Path) -> dict[str, str]:
    """role -> password of a file that `write_passfile` wrote; empty when there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    fields = [line.split(":", 4) for line in lines if line and not line.startswith("#")]
    return {parts[3]: parts[4] for parts in fields if len(parts) == 5}


def _lines(logins: list[Login]) -> str:
    return "".join(f"{login.host}:{login.port}:*:{login.role}:{login.password}\n" for login in logins)
