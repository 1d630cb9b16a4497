"""Constants are dated rows: asked for on a day, written into SQL, counted in working days."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from frontdoor import reference

ON = date(2026, 3, 12)


@pytest.fixture
def seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seeds of two dated limits."""
    (tmp_path / "thresholds.csv").write_text(
        "threshold_id,threshold_value,unit,valid_from,valid_to,source,reason\n"
        "patience,3,days,2020-01-01,2025-12-31,s,r\npatience,2,days,2026-01-01,,s,r\n",
        encoding="utf-8",
    )
    (tmp_path / "clocks.csv").write_text(
        "clock_id,start_event,stop_event,limit_value,limit_unit,applies_to,standing,valid_from,valid_to,source,reason\n"
        "answer,a,b,1.50,hours,x,L,2020-01-01,,s,r\nalways,a,b,,hours,x,L,2020-01-01,,s,r\n",
        encoding="utf-8",
    )
    (tmp_path / "codes.csv").write_text(
        "code_list,code,label,attributes,valid_from,valid_to,source\n"
        'mood,calm,Calm,,2020-01-01,,s\nmood,cross,Cross,"{""is_loud"": true}",2020-01-01,2026-01-01,s\n'
        'mood,wild,Wild,"{""is_loud"": true}",2026-01-02,,s\nday,2000-01-01,A default,,2000-01-01,,s\n'
        "opening,o'clock.,x,,2000-01-01,,s\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(reference, "SEEDS", tmp_path)
    return tmp_path


def test_a_limit_is_that_of_the_day(seeds: Path) -> None:
    assert reference.limit("patience", date(2025, 12, 31)) == 3
    assert reference.limit("patience", date(2026, 1, 1)) == 2
    assert reference.limit("answer", ON) == Decimal("1.50")
    assert reference.expand("x > {limit:patience} and y < {limit:answer}", ON) == "x > 2 and y < 1.5"


@pytest.mark.parametrize("name", ["nothing", "always"])
def test_a_limit_that_is_not_there_is_named(seeds: Path, name: str) -> None:
    with pytest.raises(reference.UnknownConstant, match=name):
        reference.expand(f"x > {{limit:{name}}}", ON)


def test_a_limit_before_its_first_day_is_not_there(seeds: Path) -> None:
    with pytest.raises(reference.UnknownConstant, match="2019-12-31"):
        reference.threshold("patience", date(2019, 12, 31))


def test_codes_are_those_of_the_day(seeds: Path) -> None:
    assert reference.codes("mood", ON) == {"calm": "Calm", "wild": "Wild"}
    assert reference.expand("m = any({codes:mood.is_loud})", date(2025, 5, 5)) == "m = any(array['cross']::text[])"
    assert reference.expand("m = any({codes:mood})", ON) == "m = any(array['calm', 'wild']::text[])"
    assert reference.expand("d = any({dates:day})", ON) == "d = any(array[date '2000-01-01'])"


def test_an_opening_is_text_and_no_pattern(seeds: Path) -> None:
    assert reference.expand("t ~ {openings:opening}", ON) == "t ~ '^(o\\''clock\\.)'"


def test_a_word_is_looked_for_as_a_whole(seeds: Path) -> None:
    assert reference.expand("t ~ {words:opening}", ON) == "t ~ '\\mo\\''clock\\.\\M'"


@pytest.mark.parametrize("word", reference.codes("serious_word", date(2026, 3, 12)))
def test_each_word_of_a_list_is_found_and_no_part_of_it(word: str) -> None:
    listed = set(reference.codes("serious_word", date(2026, 3, 12)))
    sought = reference.expand("{words:serious_word}", date(2026, 3, 12)).strip("'")
    sought = sought.replace(r"\m", r"\b").replace(r"\M", r"\b")
    assert re.search(sought, f"there was {word}, they said")
    for other in {word[:-1], f"{word}z", f"z{word}"} - listed:
        assert not re.search(sought, f"there was {other}, they said"), other


def test_an_attribute_that_no_code_has_is_named(seeds: Path) -> None:
    with pytest.raises(reference.UnknownConstant, match="is_quiet"):
        reference.expand("{codes:mood.is_quiet}", ON)


def test_a_seed_that_changed_is_read_again(seeds: Path) -> None:
    assert reference.threshold("patience", ON) == 2
    path = seeds / "thresholds.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("patience,2", "patience,40"), encoding="utf-8")
    assert reference.threshold("patience", ON) == 40


def test_other_braces_stay() -> None:
    assert reference.expand("from {batch} where x ~ '[0-9]{2}' and y = '{limit}'", ON) == (
        "from {batch} where x ~ '[0-9]{2}' and y = '{limit}'"
    )


def test_what_says_nothing_in_a_name_may_say_something_elsewhere() -> None:
    assert "baby x" in reference.fillers_for("forename", "string")
    assert "baby x" not in reference.fillers_for("narrative", "narrative")
    assert {"n/k", "as above", "#n/a", "tbc", "-", "see referral", "no details", "nope"} <= reference.fillers_for(
        "x", "string"
    )
    assert "none" not in reference.fillers_for("household_adults", "string"), "no adult in the home is an answer"
    assert not {"na", "nil", "test"} & reference.fillers_for("surname", "string"), "these are names of people"


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (date(2020, 5, 7), date(2020, 5, 11), 1),  # early May moved to Friday the 8th
        (date(2020, 12, 24), date(2020, 12, 29), 1),  # Boxing Day's substitute on Monday the 28th
        (date(2021, 12, 24), date(2021, 12, 29), 1),
        (date(2022, 6, 1), date(2022, 6, 6), 1),
        (date(2022, 9, 16), date(2022, 9, 20), 1),  # the state funeral
        (date(2023, 5, 5), date(2023, 5, 9), 1),  # the coronation
        (date(2026, 2, 20), date(2026, 2, 23), 1),
        (date(2026, 2, 23), date(2026, 2, 20), -1),
        (date(2026, 2, 21), date(2026, 2, 22), 0),
    ],
)
def test_working_days_leave_weekends_and_bank_holidays_out(first: date, last: date, days: int) -> None:
    assert reference.working_days_between(first, last) == days


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (datetime(2026, 3, 12, 10, 0, tzinfo=UTC), 2, datetime(2026, 3, 12, 12, 0, tzinfo=UTC)),
        (datetime(2026, 3, 13, 16, 30, tzinfo=UTC), 1, datetime(2026, 3, 16, 9, 0, tzinfo=UTC)),
        (datetime(2026, 3, 14, 3, 0, tzinfo=UTC), 8.5, datetime(2026, 3, 16, 17, 0, tzinfo=UTC)),
        # Over the change to summer time: 8:30 in London is then 7:30 UTC.
        (datetime(2026, 3, 27, 17, 0, tzinfo=UTC), 1, datetime(2026, 3, 30, 8, 30, tzinfo=UTC)),
    ],
)
def test_hub_hours_run_on_working_days_only(start: datetime, hours: float, end: datetime) -> None:
    assert reference.add_working_hours(start, hours) == end


def test_each_visiting_standard_has_a_clock_of_its_name() -> None:
    for standard in reference.codes("visit_standard", ON):
        assert reference.clock(standard, ON) > 0
