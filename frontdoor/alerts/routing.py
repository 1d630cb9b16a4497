"""From a role to the people who hold it.

Contracts and messages know roles only. Who holds a role today stands in one YAML file outside the repository
(``FRONTDOOR_CONTACTS``)::

    wearside_police_liaison: [Duty liaison <liaison@police.example>]
    head_of_service: head@council.example
    wearside_council/team_manager: [one@council.example, two@council.example]
    sender: Front door <front-door@council.example>

``<agency>/<role>`` is looked up first, then the role; ``sender`` is no role, but from whom the mails come. A role
without people gets an address under ``.example``, which no mail server on earth delivers: the mail folder shows it, and
SMTP refuses to guess (``NoRecipient``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path

import yaml

DEFAULT_SENDER = Address("Front door", "front-door", "frontdoor.example")
LIAISON = "liaison"
SENDER = "sender"
# One mailbox: an optional plain name, and an address of plain ASCII. Stricter than RFC 5322 on purpose: what is not
# here can neither start a new header nor hide a second recipient.
MAILBOX = re.compile(
    r"""(?:(?P<name>[\w][\w .'\-]{0,99}?)\s*<(?P<a>[^<>\s,;:"()\\]+)>|(?P<b>[^<>\s,;:"()\\]+))""", re.VERBOSE
)
ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?")


class ContactsError(ValueError):
    """The contacts file cannot be used; says which entry and why, never what stands in it."""


class NoRecipient(LookupError):
    """A role that nobody holds, where a guess would be sent to a stranger."""


@dataclass(frozen=True)
class Contacts:
    """Who holds which role: ``<agency>/<role>`` or ``<role>`` to mailboxes."""

    sender: Address = field(default_factory=lambda: DEFAULT_SENDER)
    roles: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)

    def people(self, agency: str, role: str) -> tuple[Address, ...]:
        """Return the mailboxes of a role at an agency; empty if nobody is named."""
        own = self.roles.get(f"{agency}/{role}", ())
        # Bare ``liaison`` would be every agency's: one agency's message must not reach another's people.
        return own or (self.roles.get(role, ()) if role != LIAISON else ())

    def people_or_placeholder(self, agency: str, role: str) -> tuple[Address, ...]:
        """Return the mailboxes of a role, or one address that no server delivers to."""
        return self.people(agency, role) or (Address("", _label(role), f"{_label(agency)}.example"),)


def load_contacts(path: Path | None) -> Contacts:
    """Read the contacts file; without one nobody is named. Raises ContactsError with the entry that is wrong."""
    if path is None:
        return Contacts()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContactsError(f"the contacts file cannot be read: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise ContactsError("the contacts file is a mapping of a role to a list of mailboxes")
    sender = document.pop(SENDER, None)
    roles: dict[str, tuple[Address, ...]] = {}
    for number, (role, mailboxes) in enumerate(document.items(), start=1):
        if not isinstance(role, str) or not re.fullmatch(r"(?:[a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*", role):
            raise ContactsError(f"entry {number} of the contacts file: the key is not a role or agency/role")
        listed = mailboxes if isinstance(mailboxes, list) else [mailboxes]
        if not listed:
            raise ContactsError(f"role {role}: expected at least one mailbox")
        roles[role] = tuple(_mailbox(mailbox, f"role {role}") for mailbox in listed)
    return Contacts(_mailbox(sender, SENDER) if sender is not None else DEFAULT_SENDER, roles)


def _mailbox(text: object, where: str) -> Address:
    match = MAILBOX.fullmatch(text) if isinstance(text, str) else None
    address = (match["a"] or match["b"]) if match else ""
    if match is None or not ADDRESS.fullmatch(address):
        raise ContactsError(f"{where}: expected 'Name <someone@somewhere>' or 'someone@somewhere', on one line")
    try:
        return Address(display_name=match["name"] or "", addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        raise ContactsError(f"{where}: one of the mailboxes is not a valid address") from None


def _label(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") or "unknown"
