"""Which lines sign a nil return. Mend: frontdoor/intake/readers/nil.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdoor.intake.readers import nil


@pytest.mark.parametrize(
    ("cells", "role"),
    [
        (["nil_signed_by: duty sergeant"], "duty sergeant"),
        (["nil_signed_by", "duty sergeant"], "duty sergeant"),
        (["# Nil signed by: Duty Sergeant", "", ""], "Duty Sergeant"),
        (["NIL-SIGNED-BY=duty sergeant"], "duty sergeant"),
        (["nil_signed_by;duty sergeant"], "duty sergeant"),
        (["nil_signed_by: " + "x" * 200], "x" * nil.LONGEST_ROLE),
        (["nil_signed_by:"], ""),
        (["nil_signed_by", "n/k"], ""),
        (["nil_signed_by: 0191"], ""),
        (["nil_signed_by: duty\x00sergeant"], "duty sergeant"),
        (["nil_signed_by: duty sergeant", " 2nd floor"], "duty sergeant, 2nd floor"),
        (["nil_signed_by", "duty sergeant", "another cell", "and another"], None),
        (["notification_ref"], None),
        (["it was nil signed by nobody"], None),
        (["", ""], None),
        ([], None),
    ],
)
def test_line_signs_or_does_not(cells: list[str], role: str | None) -> None:
    assert nil.signed_by(cells) == role


@given(st.lists(st.text(), max_size=4))
def test_role_is_short_and_printable_whatever_stands_in_a_line(cells: list[str]) -> None:
    role = nil.signed_by(["nil_signed_by", *cells])
    assert role is None or (len(role) <= nil.LONGEST_ROLE and role.isprintable())
