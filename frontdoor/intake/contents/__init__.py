"""What a taken file holds: itself, the entries of an archive, the sheets of a workbook; never unpacked to disk.

look.py       which members a file holds, and where
member.py     what is known of one
archives.py   the entries of an archive
workbook.py   the sheets of a workbook
probe.py      whether a member can be read at all, told from its beginning
"""

from frontdoor.intake.contents.look import look_into
from frontdoor.intake.contents.member import Member

__all__ = ["Member", "look_into"]
