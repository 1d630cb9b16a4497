"""What could not be read waits for a person, who says how the child in it was not missed."""

from tests.integration.test_waivers import Here, here, poor, prepared

__all__ = ["here", "prepared"]


def waiting(here: Here) -> dict[int, str]:
    code, document = here.command("unread", "list")
    assert code == 0
    return {each["dead_letter_id"]: each["agency_code"] for each in document["unread"]}


def close(here: Here, *arguments: str) -> tuple[int, str]:
    code, document = here.command("unread", "close", *arguments)
    return code, document.get("error", "")


def test_what_cannot_be_read_waits_until_somebody_says_how_it_was_followed_up(here: Here) -> None:
    here.land(poor(1001) + b'"torn line\n')
    (letter,) = waiting(here)
    assert close(here, str(letter), "--outcome", "held_nothing", "--by", "liaison")[0] == 2
    assert close(here, str(letter), "--outcome", "held_nothing", "--by", "Ann Other")[0] == 2
    code, error = close(here, str(letter), "--outcome", "sent_again", "--by", "team_manager")
    assert code == 2 and "nothing that can be read has come since" in error
    code, error = close(here, str(letter), "9999", "--outcome", "held_nothing", "--by", "team_manager")
    assert code == 2 and "9999" in error
    assert list(waiting(here)) == [letter], "all or none"

    here.land(poor(1002))
    assert close(here, str(letter), "--outcome", "sent_again", "--by", "team_manager")[0] == 0
    assert waiting(here) == {}
    assert here.all("select outcome, closed_by_role, resolved_at is not null from quality.dead_letters") == [
        ("sent_again", "team_manager", True)
    ]
    assert close(here, str(letter), "--outcome", "sent_again", "--by", "team_manager")[0] == 2, "closed already"
