"""Tell the person who can mend it: what arrived, what is wrong with it, what to do, by when.

``compose`` writes messages into the outbox in the transaction that publishes a delivery; ``send`` hands them over.
A message holds ids, counts, row numbers of the sender's own file and the contract's neutral words, and nothing that was
sent (DOMAIN section 7). It is not the way to chase a child: that is a telephone call, and every message says so.
"""

from frontdoor.alerts.lapsing import tell_of_lapsed
from frontdoor.alerts.outbox import compose
from frontdoor.alerts.sending import send
from frontdoor.alerts.silence import tell_of_silence
from frontdoor.alerts.withdrawing import tell_of_withdrawn

__all__ = ["compose", "send", "tell_of_lapsed", "tell_of_silence", "tell_of_withdrawn"]
