"""What a sender is answered: one receipt per delivery, written in the run that published it.

    facts       what the tables say
    told        who was told of it, and what still waits
    columns     a rule in the sender's own words
    document    the receipt
    page        as a web page
    workbook    as a workbook
    unsent      what it would say of a file that was only checked
    dictionary  what is asked of a sender at all, before there is a delivery
    issuing     which are due, and their files

A receipt is made of tables alone and holds no value of a record, so it can be made again at any time.
"""

from frontdoor.receipts.dictionary import dictionary
from frontdoor.receipts.document import documents
from frontdoor.receipts.issuing import as_json, issue
from frontdoor.receipts.page import page
from frontdoor.receipts.unsent import unsent
from frontdoor.receipts.workbook import workbook

__all__ = ["as_json", "dictionary", "documents", "issue", "page", "unsent", "workbook"]
