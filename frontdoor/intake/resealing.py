"""Seal what the archive keeps in plain, from before it was encrypted, or under a key that is no longer the last one."""

from __future__ import annotations

from contextlib import closing

from psycopg2.extensions import connection as Connection

from frontdoor.intake import archive, archive_keys, journal, ledger, papers
from frontdoor.settings import Settings


def reseal(connection: Connection, settings: Settings) -> tuple[int, int]:
    """Seal each such file with the key of today; return how many were, and how many do not open. Safe to repeat.

    Each is written, committed, and only then is what it replaces deleted; a delivery that is loaded meanwhile is read
    to its end.
    """
    key = archive_keys.sealing(settings, lambda: False)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select distinct on (stored_name) stored_name, taken_token, agency_code, source, file_name, received_at
            from intake.files
            where stored_name is not null and key_id is distinct from %s
            order by stored_name, file_id
            """,
            (key.key_id,),
        )
        old = cursor.fetchall()
    done, closed = 0, 0
    for name, token, agency, source, sent_as, received_at in old:
        try:
            if len(name) == archive.PLAIN_NAME_LENGTH:
                label = {"agency": agency, "source": source, "name": sent_as, "received_at": received_at.isoformat()}
                with archive.opened(settings, name) as kept, closing(kept.open()) as file:
                    stored = archive.keep(settings, token, archive.blocks_of(file), label)
            else:
                stored = archive.rewrite(settings, name, archive.blocks_of)
        except (archive.Damaged, archive.KeyMissing):
            closed += 1
            continue
        with connection, connection.cursor() as cursor:
            tokens = ledger.rename_stored(cursor, [name], stored.name, stored.key_id)
        journal.follow(settings, tokens, stored.name)
        if stored.name != name:
            archive.delete(settings, name)
        done += 1
    journal.complete(connection, settings, anew=True)
    return done, closed + papers.seal_anew(settings)
