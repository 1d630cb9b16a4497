"""Migrations only add, so that the release before goes on working on tables that a newer one made: an older code on a
newer database is a way back, and must hold no child.

Mend: the migration that is named. Where it takes away something that the last release does not use, or loosens what it
relies on, say so above the statement, ``-- older code: <why it goes on working>``; tests/integration/test_upgrade.py
then shows that it does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import frontdoor
from tests import releases

ROOT = Path(__file__).resolve().parents[2]
TODAY = {path.name: path.read_text() for path in (ROOT / "frontdoor" / "warehouse" / "migrations").glob("*.sql")}
EXCUSE = re.compile(r"--\s*older code:\s*\S")
# What older code would miss, or what would refuse what older code writes.
TAKES_AWAY = {
    "drops": r"\bdrop\s+(table|view|materialized|column|schema|type|function|domain|sequence|default|identity|expression)\b",
    "renames": r"\brename\b",
    "changes a type": r"\balter\s+(column\s+)?\w+\s+(set\s+data\s+)?type\b",
    "wants a value": r"\bset\s+not\s+null\b",
    "adds a column that older code leaves out": r"\badd\s+column\s+(?:(?!\badd\s+column\b|\bdefault\b|\bgenerated\b)[^;])*?\bnot\s+null\b(?!(?:(?!\badd\s+column\b)[^,;])*\b(default|generated)\b)",
    "refuses what older code writes": r"\badd\s+(constraint\s+\w+\s+)?(check|unique|primary\s+key|foreign\s+key|exclude)\b|\bcreate\s+unique\s+index\b",
    "takes rows away": r"\b(truncate|delete\s+from)\b",
    "moves": r"\bset\s+schema\b",
}


def taken_away(sql: str) -> list[str]:
    """What a migration takes away of tables that were there before it, without an excuse."""
    without_bodies = re.sub(r"\$(\w*)\$.*?\$\1\$", "$$", sql, flags=re.DOTALL)
    own = set(re.findall(r"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?([\w.]+)", without_bodies, re.IGNORECASE))
    found = []
    for statement in without_bodies.split(";"):
        said = re.sub(r"--[^\n]*", "", statement)
        on = re.search(r"\b(?:alter\s+table\s+(?:only\s+)?|\bon\s+|delete\s+from\s+)([\w.]+)", said, re.IGNORECASE)
        if EXCUSE.search(statement) or (on and on[1] in own):
            continue
        found += [what for what, pattern in TAKES_AWAY.items() if re.search(pattern, said, re.IGNORECASE)]
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "drop table intake.files",
        "alter table intake.files drop column reason",
        "alter table intake.files rename column reason to why",
        "alter table intake.files alter column size_bytes type integer",
        "alter table intake.files alter size_bytes set data type integer",
        "alter table intake.files alter column reason set not null",
        "alter table intake.files add column a text,\n add column b text not null",
        "alter table intake.files add column b text not null, add column c text not null default ''",
        "alter table intake.files alter column reading drop default",
        "alter table intake.files add constraint a check (size_bytes > 0)",
        "create unique index on intake.files (agency_code)",
        "drop function intake.records_expected(bigint)",
        "delete from intake.files",
        "create table a.b (c text); alter table intake.files set schema a",
    ],
)
def test_statement_that_takes_something_away_is_seen(sql: str) -> None:
    assert taken_away(f"-- A comment; of two parts.\n{sql};")


@pytest.mark.parametrize(
    "sql",
    [
        "create table a.b (c text not null primary key, d text unique)",
        "create table a.b (c text); create unique index on a.b (c); alter table a.b add check (c <> '')",
        "alter table intake.files add column reason_two text check (reason_two in ('a', 'b'))",
        "alter table intake.files\n    add column a integer not null default 0,\n    add column b text",
        "create index on intake.files (agency_code)",
        "create or replace function a.b() returns bigint language sql as $$ delete from a.c; select 1 $$",
        "-- older code: it never reads this column\nalter table intake.files drop column reason",
        "alter table intake.files alter column reason drop not null",
    ],
)
def test_statement_that_adds_is_let_through(sql: str) -> None:
    assert taken_away(f"{sql};") == []


def test_no_migration_since_the_last_release_takes_anything_away() -> None:
    released = releases.migrations(releases.versions()[-1])
    assert len(released) > 30
    since = {name: text for name, text in TODAY.items() if name not in released}
    assert {name: found for name, text in since.items() if (found := taken_away(text))} == {}


@pytest.mark.parametrize("version", releases.versions())
def test_migration_of_a_release_is_history(version: str) -> None:
    released = releases.migrations(version)
    assert {name for name, text in released.items() if TODAY.get(name) != text} == set()


def test_version_of_the_project_is_after_the_last_release() -> None:
    def parts(version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in version.split(".")[:3])

    last = releases.versions()[-1]
    assert parts(frontdoor.__version__) > parts(last), f"{last} is released: what comes after it is another version"
    assert releases.of_code(last) == last
