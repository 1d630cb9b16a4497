"""What one look of `frontdoor doctor` comes to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing looked at, whether it is well, and a sentence about it."""

    id: str
    ok: bool
    sentence: str


def either(name: str, ok: bool, well: str, ill: str) -> Check:
    """A check with the sentence that fits."""
    return Check(name, ok, well if ok else ill)
