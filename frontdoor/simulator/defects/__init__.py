"""Defects that agencies really send, each as a change of good records, of a file, or of what is sent when.

    RECORD     by name: a record in the house's own terms -> the records that stand in its place
    FILE       by name: the bytes of a file -> the bytes that come instead
    DELIVERY   by name: an agency's files by day, or the records of one of them -> what is sent instead
    NOT_COVERED  what no change can make, and why

Each names the rules that find it, or says why none does. tests/integration/test_simulator_defects.py proves it.
"""

from collections.abc import Mapping

from frontdoor.simulator.defects.deliveries import DELIVERY
from frontdoor.simulator.defects.files import FILE
from frontdoor.simulator.defects.records import RECORD

__all__ = ["DELIVERY", "FILE", "NOT_COVERED", "RECORD"]

NOT_COVERED: Mapping[str, str] = {
    "a_signed_nil_return": "No contract has a place for the signature yet: it comes as a header-only file (FIL-001)."
}
