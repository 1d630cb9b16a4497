"""Why a file or a line could not be read, in words for whoever rings the sender and for the sender's receipt.

No word comes from the file.
"""

from __future__ import annotations

SENTENCES = {
    "unknown_agency": "The file lay in a folder that belongs to no agency we know: find out who sent it.",
    "unknown_feed": "The file lay in a folder of this agency for which nothing is agreed: find out what was meant.",
    "misplaced": "The file lay outside the folders <agency>/<feed>: find out who sent it.",
    "not_a_file": "A link or a special file was put into the landing zone; it was not opened. We need the file itself.",
    "empty": "The file is empty: nothing arrived. We need it again.",
    "archive": "The file is a compressed archive or an office document, not the agreed format: we need the plain file.",
    "archive_bomb": "The archive unpacks to far more than files of records hold: it was not opened. We need the file.",
    "archive_too_many": "The archive holds more files than we open in one. We need fewer and larger ones.",
    "archive_nested": "This is an archive within the archive, and was not opened. We need the files in one archive.",
    "archive_broken": "The archive is damaged or not complete here: this part cannot be unpacked. We need it again.",
    "archive_locked": "The archive is locked with a password, and was not opened. We need it without one.",
    "archive_method": "The archive is packed in a way that we do not open. We need an ordinary zip or the plain file.",
    "archive_empty": "The archive holds no file: nothing arrived. We need it again.",
    "json_malformed": "The file is not well-formed JSON, and nothing in it could be read. We need a complete export.",
    "json_broken": "This line is not a whole JSON record.",
    "json_broken_off": "The JSON is broken here, and what comes after could not be read. We need a complete export.",
    "json_no_record": "What stands here is JSON, but not a record with named fields.",
    "json_too_deep": "What stands here is nested deeper than any record, and was not read.",
    "workbook_broken": "The workbook is cut off or damaged, and nothing in it could be read. We need it again.",
    "workbook_broken_off": "The workbook is damaged here, and what comes after could not be read. We need it again.",
    "workbook_empty": "The workbook holds no sheet. We need the one that has the records.",
    "workbook_too_many": "The workbook holds more sheets than we open in one. We need the records in one sheet.",
    "workbook_locked": "The workbook is locked with a password: we need it without one, by the way agreed for files.",
    "workbook_old": "The workbook is in the old form of Excel (.xls): we need it saved as .xlsx.",
    "workbook_binary": "The workbook is in Excel's binary form (.xlsb): we need it saved as .xlsx.",
    "workbook_bomb": "The workbook would swell far beyond its size, so it was not opened. We need to know who made it.",
    "binary": "The file is not text: we need the agreed format.",
    "xml_dtd": "XML with DTD: a file that declares a document type or entities is not opened. We need it without one.",
    "xml_malformed": "The file is not well-formed XML, and nothing in it could be read. We need a complete export.",
    "xml_wrong": "The XML holds nothing of the agreed layout: it may be the wrong export.",
    "xml_broken_off": "The XML is broken here, and what comes after could not be read. We need a complete export.",
    "unbalanced_quote": "A quotation mark in this line is never closed, so its cells cannot be told apart.",
    "line_too_long": "This line is too long to be a record.",
    "refused": "The database refused this record.",
    "unreadable": "The file made our reading fail: it is archived as it came, and an engineer must look at it.",
    "record_unreadable": "This record made our reading fail: an engineer must look at it in the archived file.",
    "copy_closed": "Our copy of the file does not open (key lost, or damaged): we need it again.",
    "given_up": "The file made our reading fail again and again: an engineer must look at it.",
}


class Unreadable(Exception):
    """Nothing of a file can be read; `code` says why."""

    def __init__(self, code: str) -> None:
        """Give the reason by its key in `SENTENCES`."""
        super().__init__(SENTENCES[code])
        self.code = code
