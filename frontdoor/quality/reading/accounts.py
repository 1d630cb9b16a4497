"""Accounts that were told before, word for word: a proxy for what happened not having been told of this matter.

    copied     the words are those of another matter of the same sender, told earlier or further up in the file
    standard   the words stand in so many matters that they tell of none; then also where they stood first

What counts as one matter is the contract's to say (`account`): children of one incident share an account, and so may
one child's notices. In doubt it is one matter. Each account is held against whoever told it first, and standard are
words that the first tellers share: so the cost is that of looking up what arrived, however often a text came before.

What this cannot see, and nobody should read into it: a copy in which one word or number was changed; a template filled
in; one matter told by two senders; words used again within a family. And it may find what is right: two matters that
were told by one person in the same words because they were the same. It is a question to the sender, nothing else.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg2
from psycopg2.extensions import cursor as Cursor

from frontdoor import database, reference
from frontdoor.contract import Feed
from frontdoor.quality.reading import statement
from frontdoor.quality.reading.labels import identifier, literal

log = logging.getLogger(__name__)

COPIED, STANDARD, NOT_LOOKED_AT = "copied", "standard", "not_looked_at"


@dataclass(frozen=True)
class Looked:
    """Records to look at: one sender's of one way of reading, found by `condition`; letters: as they were read with."""

    feed: Feed
    agency: str
    on: date
    received: tuple[datetime, datetime]
    condition: str
    letters: str


def note(cursor: Cursor, looked: Looked, read: str, known: str) -> None:
    """Mark records of `read` by what stands in `known`, which has them, too. In the caller's transaction.

    Where this fails no record is marked, every letter stays, and the rules that ask for the mark are not run.
    """
    if looked.feed.account is None:
        return
    cursor.execute("savepoint accounts")
    try:
        told_as = _told_as(looked, read, known)
        cursor.execute(f"select exists ({told_as})")
        # Nearly always nothing is found, and then the letters need not be planned once more.
        if cursor.fetchone() == (True,):
            cursor.execute(statement.again(looked.feed, read, told_as, looked.letters))
    except (psycopg2.Error, reference.UnknownConstant) as error:
        if cursor.connection.closed:
            raise
        cursor.execute("rollback to savepoint accounts")
        log.error(
            "accounts of %s were not held against earlier ones: %s",
            looked.feed.code,
            database.safe_error(error) if isinstance(error, psycopg2.Error) else error,
        )
        cursor.execute(f"update {read} set _account_told = {literal(NOT_LOOKED_AT)} where {looked.condition}")
    cursor.execute("release savepoint accounts")


def _told_as(looked: Looked, read: str, known: str) -> str:
    """SQL of the places of records whose words were told before, each with what they are: _account_told."""
    days, matters, looked_at = (
        reference.expand(f"{{limit:{name}}}", looked.on)
        for name in ("account_remembered_days", "standard_text_min_matters", "standard_text_looked_at_records")
    )
    marks = _marks_of_one_matter(looked.feed)
    first, last = (literal(each.isoformat()) for each in looked.received)
    # The second bound lets Postgres leave older months alone.
    earlier = f"""
            earlier._agency_code = {literal(looked.agency)} and earlier._account_words = words._account_words
            and earlier._delivery_id <= words._delivery_id
            and earlier._received_at between words._received_at - interval '1 day' * {days} and words._received_at
            and earlier._received_at between {first}::timestamptz - interval '1 day' * {days} and {last}::timestamptz"""
    return f"""
with words as materialized (
    select _delivery_id, _received_at, _account_words, count(*) as records
    from {read}
    where {looked.condition} and _account_words is not null
    group by _delivery_id, _received_at, _account_words
), again as materialized (
    select words._delivery_id, words._received_at, words._account_words
    from words
    where words.records > 1
    union
    select words._delivery_id, words._received_at, words._account_words
    from words
    where exists (select from {known} as earlier where {earlier} and earlier._delivery_id < words._delivery_id)
), looked_up as materialized (
    select words._delivery_id, words._account_words, beginning.*
    from again as words
    cross join lateral (
        select
            min(beginners.place) as first_place,
            {_firsts(len(marks))},
            least({_distinct(len(marks))}) as matters
        from (
            select array[one._delivery_id, one._record_no] as place, {_listed(marks)}
            from (
                select earlier.* from {known} as earlier
                where {earlier}
                order by earlier._delivery_id, earlier._record_no
                limit {looked_at}
            ) as one
        ) as beginners
    ) as beginning
)
select told._delivery_id, told._record_no, told._received_at,
    case when looked_up.matters >= {matters} then {literal(STANDARD)} else {literal(COPIED)} end as _account_told
from (
    select one._delivery_id, one._record_no, one._received_at, one._account_words, {_listed(marks)}
    from (select * from {read} where {looked.condition} and _account_words is not null) as one
    inner join again
        on one._delivery_id = again._delivery_id and one._account_words = again._account_words
) as told
inner join looked_up on told._delivery_id = looked_up._delivery_id and told._account_words = looked_up._account_words
where looked_up.matters >= {matters} or not ({_of_one_matter(len(marks))})"""


def _marks_of_one_matter(feed: Feed) -> Sequence[str]:
    """SQL of texts over `one`, a record; two records with one of them alike are of one matter. Null is like nothing."""
    assert feed.account is not None
    said = ["one.record_key", "one.child_key"]
    for group in feed.account.one_matter:
        names = [f"lower(one.{identifier(name)}::text)" for name in group]
        said.append(names[0] if len(names) == 1 else f"nullif(({' || chr(31) || '.join(names)}), '')")
    return said


def _listed(marks: Sequence[str]) -> str:
    return ", ".join(f"{mark} as mark_{number}" for number, mark in enumerate(marks))


def _firsts(marks: int) -> str:
    return ", ".join(f"(array_agg(beginners.mark_{n} order by beginners.place))[1] as first_{n}" for n in range(marks))


def _distinct(marks: int) -> str:
    """How many matters these records are of at the least. A record of which a mark is not known is one for itself."""
    return ", ".join(f"count(distinct coalesce(beginners.mark_{n}, beginners.mark_0))" for n in range(marks))


def _of_one_matter(marks: int) -> str:
    alike = " or ".join(f"coalesce(told.mark_{n} = looked_up.first_{n}, false)" for n in range(marks))
    return f"array[told._delivery_id, told._record_no] = looked_up.first_place or {alike}"
