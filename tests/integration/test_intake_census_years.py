"""A return is read by the layout of its own year. Mend: expectations/layouts/cin_census.yaml, frontdoor/contract/editions.py,
frontdoor/intake/readers/layout_year.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from frontdoor import quality, warehouse
from frontdoor.cli import main
from frontdoor.contract import load_house
from frontdoor.receipts.columns import columns_of
from tests.conftest import Database
from tests.intake_house import Place

REAL = Path(__file__).parents[3] / "shared" / "data" / "fake_CIN_data.xml"
CENSUS = "wearside_council/cin_census"
BEFORE, SINCE = "<GenderCurrent>2</GenderCurrent>", "<Sex>F</Sex>"
READ = """
    select told.sex, told.sex_state, sent.extra from raw.referral_read as told
    inner join raw.referral as sent using (_delivery_id, _record_no) order by _record_no
"""


@pytest.fixture(scope="module")
def zone(database: Database) -> Iterator[Place]:
    connection, house = database.connect(), load_house()
    warehouse.ensure_raw_tables(connection, house)
    warehouse.load_reference(connection, house)
    yield Place(database.settings, connection, house)
    connection.close()


@pytest.fixture
def place(zone: Place) -> Place:
    zone.forget()
    return zone


def a_return(header: str, sex: str, details: str = "") -> bytes:
    return (
        f"<Message><Header><CollectionDetails><Collection>CIN</Collection>{header}</CollectionDetails></Header><Children>"
        f"<Child><ChildIdentifiers><LAchildID>A</LAchildID><PersonBirthDate>2019-05-01</PersonBirthDate>{sex}"
        "</ChildIdentifiers><CINdetails><CINreferralDate>2022-01-04</CINreferralDate><ReferralSource>6</ReferralSource>"
        f"{details}</CINdetails></Child><Child><ChildIdentifiers><LAchildID>B</LAchildID>{sex}</ChildIdentifiers></Child>"
        "</Children></Message>"
    ).encode()


def read(place: Place, content: bytes) -> tuple[list[tuple[str, str]], set[str], int | None]:
    """(sex, its state) of each record, the rules of files that were broken, and the year of the layout."""
    assert place.ingest(content, "census.xml", to=CENSUS) == ["loaded"]
    (delivery_id,) = place.one("select max(delivery_id) from intake.deliveries")
    quality.read(place.connection, place.house, [delivery_id])
    place.connection.commit()
    (reading,) = place.one("select reading from intake.members")
    return (
        [(sex, state) for sex, state, _ in place.all(READ)],
        {rule for _, rule in place.findings()},
        reading["layout_year"],
    )


def year(told: int | str) -> str:
    return f"<Year>{told}</Year><ReferenceDate>2022-03-31</ReferenceDate>"


@pytest.mark.parametrize(
    ("told", "element", "layout"),
    [(2017, BEFORE, 2017), (2024, BEFORE, 2023), (2025, SINCE, 2025), (2026, SINCE, 2025)],
)
def test_a_return_of_each_year_is_read_by_its_own_layout(place: Place, told: int, element: str, layout: int) -> None:
    assert read(place, a_return(year(told), element)) == ([("F", "ok")] * 2, set(), layout)


def test_the_real_return_of_2022_is_read_by_the_layout_of_2022(place: Place) -> None:
    sexes, broken, layout = read(place, REAL.read_bytes())
    assert (layout, broken) == (2022, set())
    assert {state for _, state in sexes} == {"ok"} and {sex for sex, _ in sexes} == {"M", "F", "U"}


@pytest.mark.parametrize(
    ("header", "layout"), [(year(2027), 2025), (year(2016), 2017), (year("2024/25"), 2022), ("", 2025)]
)
def test_a_year_that_we_do_not_know_is_read_by_the_nearest_and_said_so(place: Place, header: str, layout: int) -> None:
    """What is no year falls back to the reference date, here of 2022."""
    sexes, broken, read_by = read(place, a_return(header, SINCE if layout == 2025 else BEFORE))
    assert (sexes, read_by) == ([("F", "ok")] * 2, layout)
    assert broken == (set() if layout == 2022 else {"FIL-040"})


@pytest.mark.parametrize(("told", "element"), [(2022, SINCE), (2025, BEFORE)])
def test_elements_of_another_year_are_read_all_the_same_and_said(place: Place, told: int, element: str) -> None:
    sexes, broken, _ = read(place, a_return(year(told), element))
    assert (sexes, broken) == ([("F", "ok")] * 2, {"FIL-041"})


def test_plans_before_they_were_asked_for_are_kept_and_said(place: Place) -> None:
    plan = "<CINPlanDates><CINPlanStartDate>2021-02-03</CINPlanStartDate></CINPlanDates>"
    for told, wanted in ((2021, {"FIL-041"}), (2022, set())):
        place.forget()
        _, broken, _ = read(place, a_return(year(told), BEFORE, plan))
        assert broken == wanted
        assert place.all(READ)[0][2]["CINPlanDates/CINPlanStartDate"] == "2021-02-03"


@pytest.mark.parametrize(
    "header",
    [year("&#50;025"), "<Year>2025</Year>" + "<a/>" * 2000, "<Year>2025</Year><SoftwareCode>A & B</SoftwareCode>"],
)
def test_a_strange_header_costs_no_record(place: Place, header: str) -> None:
    sexes, _, layout = read(place, a_return(header, SINCE))
    assert (len(sexes), layout) == (2, 2025)


def test_a_receipt_names_the_element_of_its_own_year() -> None:
    whose = ("wearside_council", "cin_census", "referral", "")
    named = {
        told: columns_of(load_house(), *whose, date(2026, 4, 1), told).name_of("sex") for told in (2024, 2026, None)
    }
    assert named == {2024: "GenderCurrent", 2026: "Sex", None: "Sex"}


def test_contract_show_tells_the_years_of_a_layout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "show", "--agency", "wearside_council", "--feed", "cin_census", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["agreements"]
    years = {each["from"]: each for each in shown["layout_years"]}
    assert list(years) == [2017, 2021, 2022, 2023, 2025] and years[2025]["to"] == 2026
    assert years[2023]["places"]["sex"].endswith("GenderCurrent") and years[2025]["places"]["sex"].endswith("Sex")
    assert all(each["source"] for each in years.values())
    assert main(["contract", "show", "--agency", "wearside_council", "--feed", "cin_census"]) == 0
    assert "layout of 2025 to 2026: Sex (M, F, U) in place of GenderCurrent" in capsys.readouterr().out
