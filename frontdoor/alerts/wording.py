"""The words for a rule that may leave the house.

A contract's sentence speaks to the sender about a record, and often names what was sent: a grade, a kind of harm. In a
mail beside a row number that would be a fact about one child. So the mail takes the rule's neutral title and what to do
about it, and even those only if they hold none of the words below; else neutral words of the rule's dimension stand in
their place. When in doubt the mail says less, and the rule's id leads to the rest.
"""

from __future__ import annotations

import re

# What a mail never tells of a row: a grade, a kind of harm, an event, an outcome, an age, a refusal; and any sentence
# that points at one child. The name of a question ("kind of harm", "date of birth") is not its answer, and may stay.
DISCLOSING = re.compile(
    r"""\b(?:
        red|amber|green|lowest|highest|medium|(?:low|high|standard)[ -]risk|serious\s+harm|
        abus\w+|neglect\w*|sexual\w*|strang\w+|weapon\w*|injur\w+|exploit\w*|suicid\w*|violen\w+|assault\w*|
        threat\w*|pregnan\w+|fgm|honour|marriage|danger\w*|drugs?|alcohol|bail|custody|arrest\w*|powers|protection|suspects?|
        perpetrators?|conferences?|section\s+47|deaths?|died|deceased|looked[ -]after|cp|cla|cin|
        refus\w+|closed|returned|reopen\w*|no\s+further\s+action|
        (?:over|under)\s+(?:\d+|one|eighteen)|years?\s+old|(?:this|that|one)\s+child(?:'s)?|siblings?|mother|father
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)

_TITLES = {
    "accuracy": "Something that was given is probably not right.",
    "completeness": "Something that the contract asks for is not there, or we cannot read it.",
    "conformity": "An answer is not in a form, or not among the words, that the contract knows.",
    "consistency": "Two answers do not fit together.",
    "coverage": "Something that was due has not come.",
    "sufficiency": "What was given is not enough for the front door to decide on.",
    "timeliness": "Something was sent or recorded later than agreed.",
    "uniqueness": "One reference of yours stands for more than one thing; nothing was merged or overwritten.",
}
# Behind a title, which names only what it is about.
_IN_SHORT = {
    "accuracy": "probably not right",
    "completeness": "not given, or not readable",
    "conformity": "not in a form, or not among the words, that was agreed",
    "consistency": "answers that do not fit together",
    "coverage": "due, and not there",
    "sufficiency": "not enough to decide on",
    "timeliness": "later than agreed",
    "uniqueness": "one number for more than one thing; nothing was merged",
}
_TITLE = "The contract expects something else here."
_TO_DO_URGENT = (
    "look these rows up in your own record and ring the front door about them; have the rule's number ready."
)
_TO_DO = "look these rows up in your own record, correct them as the rule of this number asks, and send them again."
_TO_DO_COUNCIL = "open these records on the triage list and decide; a decision carries its time, role and reason."


def title(own: str | None, dimension: str) -> str:
    """Return what is wrong: the rule's neutral title and its dimension in short, else the dimension's words alone."""
    about = _if_fit(own)
    if about is None:
        return _TITLES.get(dimension, _TITLE)
    return f"{about.rstrip('.')}: {_IN_SHORT[dimension]}." if dimension in _IN_SHORT else about


def to_do(own: str, severity: str, *, for_council: bool) -> str:
    """Return what to do about it, in words that may leave the house; those for the council do not leave it."""
    if for_council:
        return own or _TO_DO_COUNCIL
    return _if_fit(own) or (_TO_DO_URGENT if severity == "critical" else _TO_DO)


def discloses(text: str) -> bool:
    """Tell whether a text holds a word that may not stand beside a row number in a mail."""
    return DISCLOSING.search(text) is not None


def _if_fit(text: str | None) -> str | None:
    return " ".join(text.split()) if text and not discloses(text) else None
