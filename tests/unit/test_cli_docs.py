"""Generated tables. Mend: frontdoor/docs.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frontdoor import docs

OLD = "# Title\n\n<!-- generated: feeds -->\nold\n<!-- end generated -->\n\nkept\n"


def test_table_is_renewed_between_its_markers_and_nowhere_else() -> None:
    new = docs.renewed(OLD)
    assert new.startswith("# Title\n\n<!-- generated: feeds -->\n| feed or layout |")
    assert new.endswith("<!-- end generated -->\n\nkept\n")
    assert "`police`" in new
    assert docs.renewed(new) == new


def test_marker_of_no_table_is_refused_with_those_that_exist() -> None:
    with pytest.raises(docs.UnknownTable, match="commands, feeds, formats, indicators, reasons, rules, verdicts"):
        docs.renewed(OLD.replace("feeds", "wishes"))


def test_check_shows_the_difference_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(OLD)
    assert docs.main(["--check"]) == 1
    assert "+| `police`" in capsys.readouterr().out
    assert readme.read_text() == OLD
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(docs.TABLES))
def test_every_table_has_rows_of_one_width(name: str) -> None:
    lines = docs.TABLES[name](docs.load_house()).splitlines()
    assert len(lines) > 2, f"{name} is empty"
    widths = {line.replace("\\|", "").count("|") for line in lines}
    assert len(widths) == 1


def test_commands_of_the_interface_are_all_there() -> None:
    told = docs.commands(docs.load_house())
    for command in (
        *("deliver FILE --agency A --feed F [--wait S] [--json]", "ingest [--json]", "status [--delivery ID]"),
        *(
            "doctor [--json]",
            "replay [--delivery ID] [--agency A] [--feed F] [--notify]",
            "feed list",
            "feed show FEED",
        ),
        *("feed sample FEED --agency A [--records N] [--break RULE]", "up", "down", "demo"),
    ):
        assert f"`frontdoor {command}" in told
