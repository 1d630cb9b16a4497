"""Passwords in libpq's passfile format, in files that only their owner may read."""

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Login:
    """One line of a passfile; `*` in host or port means any."""

    host: str
    port: str
    role: str
    password: str = field(repr=False)


def write_secret(path: Path, text: str) -> None:
    """Write a 0600 file so that it is never seen half written, nor readable by others for an instant."""
    _unfinished(path, text).rename(path)


def make_secret(path: Path, text: str) -> None:
    """The same where there is no such file: of several that make it at once the first has, and all read its text."""
    if path.exists():
        return
    unfinished = _unfinished(path, text)
    with suppress(FileExistsError):
        path.hardlink_to(unfinished)
    unfinished.unlink()


def write_passfile(path: Path, logins: list[Login]) -> None:
    """Write `logins`; the passwords are ours and url-safe, so nothing needs escaping."""
    write_secret(path, _lines(logins))


def new_password() -> str:
    """One that nobody guesses, url-safe."""
    return secrets.token_urlsafe(32)


def add_logins(path: Path, logins: list[Login]) -> None:
    """Put `logins` before whatever the file holds (the first that fits counts), and leave the rest as it was."""
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    write_secret(path, _lines(logins) + kept)


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


def _unfinished(path: Path, text: str) -> Path:
    """A 0600 file beside `path`, under a name that nobody else writes: several may make one home ready at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return unfinished


def _lines(logins: list[Login]) -> str:
    return "".join(f"{login.host}:{login.port}:*:{login.role}:{login.password}\n" for login in logins)
