"""Roles to people. Mend: frontdoor/alerts/routing.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from frontdoor.alerts.routing import Contacts, ContactsError, load_contacts


def contacts(tmp_path: Path, text: str) -> Contacts:
    path = tmp_path / "contacts.yaml"
    path.write_text(text, encoding="utf-8")
    return load_contacts(path)


def test_role_of_an_agency_is_looked_up_before_the_bare_role(tmp_path: Path) -> None:
    found = contacts(
        tmp_path,
        "head_of_service: old@council.example\n"
        "wearside_council/head_of_service: ['Head of Service <head@council.example>', deputy@council.example]\n"
        "sender: Front Door <door@council.example>\n",
    )
    people = found.people("wearside_council", "head_of_service")
    assert [str(person) for person in people] == ["Head of Service <head@council.example>", "deputy@council.example"]
    assert [str(person) for person in found.people("elsewhere", "head_of_service")] == ["old@council.example"]
    assert str(found.sender) == "Front Door <door@council.example>"


def test_liaison_of_another_agency_is_never_a_stand_in(tmp_path: Path) -> None:
    found = contacts(tmp_path, "liaison: [someone@police.example]\n")
    assert found.people("wearside_schools", "liaison") == ()


def test_role_that_nobody_holds_gets_an_address_that_no_server_delivers_to() -> None:
    (person,) = Contacts().people_or_placeholder("wearside_police", "liaison")
    assert str(person) == "liaison@wearside-police.example"


@pytest.mark.parametrize(
    "mailbox",
    [
        '"a@b.example\\nBcc: c@d.example"',
        '"Name\\r\\nBcc: c@d.example <a@b.example>"',
        '"a@b.example, c@d.example"',
        '"a@b.example;c@d.example"',
        '"A <a@b.example> <c@d.example>"',
        '"a@b.example\\u2028x"',
        '"a b@c.example"',
        '"nobody"',
        '"@b.example"',
        '"a@"',
        '"=?utf-8?q?a=0ABcc?= <a@b.example>"',
        '""',
        "17",
        "null",
        "{a: b}",
    ],
)
def test_mailbox_that_could_start_a_header_or_hide_a_recipient_is_refused(tmp_path: Path, mailbox: str) -> None:
    with pytest.raises(ContactsError) as refusal:
        contacts(tmp_path, f"head_of_service: [{mailbox}]\n")
    assert "head_of_service" in str(refusal.value)
    assert "example" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "17", "a: [", "role: []", "role:", "role: {a: b}", "'a b': [a@b.example]", "sender: [a@b.example]"),
        *("1: [a@b.example]", "a/b/c: [a@b.example]"),
    ],
)
def test_contacts_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContactsError):
        contacts(tmp_path, text)


def test_missing_contacts_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ContactsError, match="cannot be read"):
        load_contacts(tmp_path / "none.yaml")
