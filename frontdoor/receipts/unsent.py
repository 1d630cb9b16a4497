"""A receipt for what was only checked: the same verdict and the same rows, and plain words that nothing was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTICE = (
    "Nothing was sent: this was a check on your own machine, and nothing of the file is kept."
    " No finding is a reason to hold a child back: send the file also where you cannot mend it."
)
WHY_NOT_ASKED = (
    "Such rules hold a file against what you sent before, which only the front door knows."
    " Whether you sent the same file before is not asked either."
)


def unsent(document: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt (`documents`) of a file that was checked and not sent.

    ``check`` says so, and which rules were not asked; what only a delivery has is None.
    """
    not_asked = [rule["rule_id"] for rule in document["rules"] if _is_left_out(rule)]
    return {
        **document,
        "receipt": {**document["receipt"], "delivery_id": None, "published_at": None},
        "check": {"notice": NOTICE, "not_asked": sorted(not_asked), "why_not_asked": WHY_NOT_ASKED},
        "sentence": f"If it is sent as it is: {document['sentence']}",
        "rules": [{**rule, "reason": WHY_NOT_ASKED} if _is_left_out(rule) else rule for rule in document["rules"]],
        "told": None,
        "unread": [{**each, "due_at": None} for each in document["unread"]],
    }


def _is_left_out(rule: Mapping[str, Any]) -> bool:
    return rule["scope"] == "history" and rule["status"] == "not_run"
