"""Reasons for what could not be read are words for the sender as well. Mend: frontdoor/intake/reasons.py."""

import re

import pytest

from frontdoor.intake.reasons import SENTENCES

# Of a file that nobody is known to have sent no receipt is written.
OURS_ALONE = {"unknown_agency", "unknown_feed", "misplaced"}


@pytest.mark.parametrize("code", sorted(SENTENCES.keys() - OURS_ALONE))
def test_a_reason_does_not_send_its_reader_to_the_sender(code: str) -> None:
    assert not re.search(r"\bask|sender", SENTENCES[code], re.IGNORECASE), "the sender reads it in its receipt"
