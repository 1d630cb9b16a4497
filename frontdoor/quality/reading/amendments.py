"""A record that amends another under a reference of its own is read under the key of what it amends.

Some senders' systems lock what they sent: a correction gets a new reference and names the old one in `amends_ref`.
Under the old one's key it is a later version of the same record, and everything that asks for versions (supersession,
what it mends, what it persists) holds for it as for a record sent again. In doubt it keeps its own key, and both stay:
where it says that it is new, where two records of one delivery claim one key, or where what it amends lies beside it.
"""

import logging
from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.contract import Feed
from frontdoor.quality.reading.labels import identifier
from frontdoor.quality.reading.statement import key_of

log = logging.getLogger(__name__)

AMENDS, ACTION = "amends_ref", "record_action"


def follow(cursor: Cursor, feed: Feed, delivery_ids: Sequence[int], condition: str) -> None:
    """Give the amending records that `condition` finds the keys of what they amend. In the caller's transaction.

    An amendment of an amendment is followed to the first. Where this fails every record keeps its own key.
    """
    names = {each.name for each in feed.properties}
    if AMENDS not in names or feed.reference_property not in feed.key_properties:
        return
    cursor.execute("savepoint amendments")
    try:
        cursor.execute("delete from quality.amendments where delivery_id = any(%s)", (list(delivery_ids),))
        cursor.execute(_statement(feed, condition, has_action=ACTION in names), {"feed": feed.code})
    except psycopg2.Error as error:
        if cursor.connection.closed:
            raise
        cursor.execute("rollback to savepoint amendments")
        log.error("amendments of deliveries %s keep their own keys: %s", list(delivery_ids), database.safe_error(error))
    cursor.execute("release savepoint amendments")


def _statement(feed: Feed, condition: str, *, has_action: bool) -> str:
    raw, read = f"raw.{identifier(feed.code)}", f"raw.{identifier(feed.code + '_read')}"
    amended = key_of(feed, {feed.reference_property: AMENDS}, "reading.trimmed(sent.{})")
    is_amending = "amends_ref_state = 'ok'"
    if has_action:
        is_amending += " and (record_action_state = 'missing' or record_action_state = 'ok' and record_action <> 'new')"
    return f"""
with amending as materialized (
    select _delivery_id, _record_no, _received_at, record_key as own_key
    from {read}
    where {condition} and has_own_key and {is_amending}
), told as (
    select amending.*, {amended} as told_key
    from amending
    inner join {raw} as sent using (_delivery_id, _record_no, _received_at)
), rooted as (
    select
        told.*,
        coalesce((
            select known.record_key from quality.amendments as known
            where known.own_key = told.told_key and known.delivery_id < told._delivery_id
            order by known.delivery_id desc, known.record_no desc limit 1
        ), told.told_key) as root_key
    from told
), sure as (
    select claimed.*
    from (
        select rooted.*, count(*) over (partition by _delivery_id, root_key) as claims from rooted
    ) as claimed
    where
        claimed.claims = 1 and claimed.root_key <> claimed.own_key
        and not exists (
            select from {read} as beside
            where
                beside.record_key in (claimed.root_key, claimed.own_key)
                and beside._delivery_id = claimed._delivery_id and beside._received_at = claimed._received_at
                and beside._record_no <> claimed._record_no
        )
), noted as (
    insert into quality.amendments (delivery_id, record_no, feed, own_key, record_key)
    select _delivery_id, _record_no, %(feed)s, own_key, root_key from sure
)
update {read} as read
set record_key = sure.root_key
from sure
where
    read._delivery_id = sure._delivery_id and read._record_no = sure._record_no
    and read._received_at = sure._received_at
"""
