"""Every rule of files (FIL-nnn), as data: `files.yaml` gives files and the rules that each must break.

They go from the landing zone through readers, reading and checks. A case that fails: open frontdoor/intake/readers, or
expectations/file_rules.yaml at the rule.
"""

import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
import yaml

from frontdoor import intake, quality, warehouse
from frontdoor.contract import House, load_house

HERE = Path(__file__).parent
TOLD = yaml.safe_load((HERE / "files.yaml").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in TOLD["cases"]}
# {header}, {row}; without columns ({row-forename}); led by a separator ({row-forename,}); with the reference as given ({row:WP-2}).
MARK = re.compile(r"\{(header|row)((?:-[a-z0-9_]+)*)(?::([^},]+))?(,?)\}")


@cache
def the_house() -> House:
    return load_house()


def feed_of(case: dict[str, Any]) -> str:
    return str(case.get("feed", TOLD["feed"]))


def text_of(case: dict[str, Any]) -> str:
    with (HERE / feed_of(case) / "good.csv").open(encoding="utf-8", newline="") as file:
        (good,) = csv.DictReader(file)
    good |= {name: str(value) for name, value in case.get("change", {}).items()}
    layout = the_house().layouts.get(feed_of(case))
    reference = the_house().feeds[layout.feeds[0] if layout else feed_of(case)].reference_property

    def written(mark: re.Match[str]) -> str:
        what, without, instead, comma = mark.groups()
        cells = {name: name if what == "header" else cell for name, cell in good.items()}
        cells |= {reference: instead} if instead else {}
        line = io.StringIO()
        left_out = without.split("-")
        csv.writer(line, lineterminator="\n").writerow(cell for name, cell in cells.items() if name not in left_out)
        return comma + line.getvalue().removesuffix("\n")

    return MARK.sub(written, case["text"])


def content_of(case: dict[str, Any]) -> bytes:
    text = text_of(case)
    if "workbook" in case:
        return workbook(list(csv.reader(io.StringIO(text))), case["workbook"])
    content = text.encode(case.get("encoding", "utf-8"))
    return gzip.compress(content, mtime=0) if case.get("packed") else content


def workbook(rows: list[list[str]], kind: str) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("Sheet1")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        if kind == "formula":
            sheet.write_formula(1, 0, '="C"&"1"', None, "C1")
    if kind == "macro":
        with zipfile.ZipFile(made, "a") as package:
            package.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0")
    return made.getvalue()


@pytest.fixture(scope="module")
def found(database: Any) -> dict[str, Counter[str]]:
    """Case -> rules of files that its file broke, and by how many records (or once, by the file)."""
    house, settings = the_house(), database.settings
    connection = database.connect()
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    for name, case in CASES.items():
        folder = settings.landing / case.get("agency", TOLD["agency"]) / feed_of(case)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content_of(case))
    assert intake.take(connection, settings, house) == len(CASES)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select deliveries.delivery_id, deliveries.feed, files.file_name from intake.files"
            " inner join intake.deliveries using (file_id) order by 1"
        )
        taken = cursor.fetchall()
    assert {name for _, _, name in taken} == set(CASES)
    for delivery_id, _, _ in taken:
        assert intake.load(connection, settings, house, delivery_id) == "loaded"
        quality.read(connection, house, [delivery_id])
        connection.commit()
    for feed in sorted({feed for _, feed, _ in taken}):
        quality.judge(connection, settings, house, feed, [each for each, of, _ in taken if of == feed])
    outcomes = {}
    with connection, connection.cursor() as cursor:
        for delivery_id, _, name in taken:
            cursor.execute(
                "select rule_id from quality.findings where delivery_id = %s and rule_id like 'FIL-%%'", (delivery_id,)
            )
            outcomes[name] = Counter(rule_id for (rule_id,) in cursor)
            cursor.execute(
                "select rule_id from quality.check_results where delivery_id = %s and status = 'fail'"
                " and rule_id like 'FIL-%%'",
                (delivery_id,),
            )
            assert {rule_id for (rule_id,) in cursor} == set(outcomes[name])
    connection.close()
    return outcomes


@pytest.mark.parametrize("name", CASES)
def test_a_file_breaks_exactly_the_rules_that_its_case_names(name: str, found: dict[str, Counter[str]]) -> None:
    assert set(found[name]) == set(CASES[name]["rules"]), f"{CASES[name]['why']} See tests/feeds/files.yaml"


def test_every_rule_of_files_has_a_case_that_breaks_it_and_one_that_keeps_it() -> None:
    rules = {rule.rule_id for rule in the_house().file_rules}
    assert rules, "expectations/file_rules.yaml holds no rule"
    assert {rule for case in CASES.values() for rule in case["rules"]} == rules, "break each in tests/feeds/files.yaml"
    kept = {rule for case in CASES.values() for rule in case.get("keeps", [])}
    assert kept == rules, "add a case that keeps each, as close as it gets, to tests/feeds/files.yaml"
    assert not [case["name"] for case in CASES.values() if set(case["rules"]) & set(case.get("keeps", []))]
    assert all(case["why"].strip() for case in CASES.values()) and len(CASES) == len(TOLD["cases"])
