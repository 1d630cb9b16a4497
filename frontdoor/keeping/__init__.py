"""Copies of database and archive together, and the ways back: from a copy, or from the archive alone.

    backup      one snapshot of the database, and every archived file that it names, beside a manifest
    restore     such a copy into an empty database, all of it or nothing
    rebuild     what the archive holds and the ledger does not know, taken in again as it came
    held        letters that may have gone out before, until a person says
    copies      what lies in a place, and whether it is still what was put there

    place       where copies lie: a folder, or an object store
    pour        its dump into the database, in one transaction
    ours        whether copies may be written into a place, and things cleared there
    spoken      failures of place and archive, in words
    manifest    what a copy holds, and the point up to which
    tools       Postgres' own programs that do the copying
    leftovers   what a copy that was killed left in plain

A copy is a copy once its manifest is written, which is last. What is in it of children is sealed with the archive's
key, and the key is not in it.
"""
