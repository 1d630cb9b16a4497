"""From the landing zone to the landing tables: files are taken, archived, written down and loaded as sent.

`take` moves whole files out of the landing zone into archive and ledger; `load` brings one delivery into raw.<feed>;
`give_up` turns a delivery that cannot be loaded into a dead letter. `watch` only looks.
"""

from frontdoor.intake.load import give_up, load
from frontdoor.intake.take import take

__all__ = ["give_up", "load", "take"]
