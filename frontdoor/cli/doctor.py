"""What ``frontdoor doctor`` looks at besides the machine: declarations, routing, outbox, builds.

Each check is one sentence that says what is well, or what to do. None speaks of the quality of data: a poor file is no
illness of the platform.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from frontdoor import clock
from frontdoor.intake.landing import TAKEN
from frontdoor.platform.check import Check
from frontdoor.platform.checks import doctor as of_platform

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from frontdoor.settings import Settings

STUCK_ATTEMPTS = 3
UNBUILT_MINUTES = 15
# As FileLeftLying has it.
LYING_SECONDS = 300.0
CALENDAR_AHEAD_DAYS = 90


def examine(settings: Settings) -> list[Check]:
    """Look at everything; a check that cannot be made has failed."""
    return [
        *of_platform(settings),
        _tried("contracts", _contracts),
        _tried("signatures", _signatures),
        _tried("passfile", lambda: _passfiles(settings)),
        _tried("routing", lambda: _routing(settings)),
        *([_tried("landing", lambda: _landing(settings))] if settings.landing_url else []),
        _tried("lying", lambda: _lying(settings)),
        *_of_database(settings),
    ]


def _tried(check_id: str, look: Callable[[], Check]) -> Check:
    from frontdoor.database import safe_error

    try:
        return look()
    except Exception as error:
        return Check(check_id, False, f"This could not be checked: {safe_error(error)}.")


def _contracts() -> Check:
    from frontdoor.contract import ContractError, load_house

    try:
        house = load_house()
    except ContractError as error:  # speaks of our own declarations
        return Check("contracts", False, str(error))
    counted = f"{len(house.feeds)} feeds, {len(house.layouts)} layouts, {len(house.agencies)} agencies"
    return Check("contracts", True, f"The contracts can be read: {counted}.")


def _signatures() -> Check:
    from frontdoor.contract import load_house
    from frontdoor.contract.signing import missing

    house, today = load_house(), clock.now().date()
    waiting = [each for each in house.declared if each.valid_from <= today and missing(each)]
    if not waiting:
        return Check("signatures", True, "Every agreement whose day has come is signed by both parties.")
    said = "; ".join(
        f"version {each.version} of {each.agency} and {each.source} ({each.feed}) by {' and '.join(missing(each))}"
        for each in waiting
    )
    sentence = f"Not signed, so the version before it holds, or where there is none it is used unsigned: {said}."
    return Check("signatures", False, f"{sentence} Then: frontdoor contract sign.")


def _landing(settings: Settings) -> Check:
    from frontdoor.intake import bucket

    try:
        count = len(bucket.waiting(settings))
    except OSError as error:
        return Check("landing", False, f"The landing zone in the object store cannot be listed: {error}.")
    return Check("landing", True, f"The landing zone in the object store can be listed; {count} objects wait there.")


def _lying(settings: Settings) -> Check:
    """What lies in the landing zone though it should have been taken, by folder as far as one was agreed."""
    from frontdoor.contract import ContractError, load_house
    from frontdoor.intake.lying import everything

    try:
        agreed = {(each.agency, each.source) for each in load_house().agency_feeds}
    except ContractError:
        agreed = set()
    closed: Counter[str] = Counter()
    old: Counter[str] = Counter()
    for each in everything(settings):
        lane = f"{each.agency}/{each.source}" if (each.agency, each.source) in agreed else "other folders"
        if each.is_closed():
            closed[f"{TAKEN}/{lane}" if each.is_taken else lane] += 1
        elif time.time() - each.since > LYING_SECONDS:  # noqa: TID251  the clock of the file system
            old[lane] += 1
    said = []
    if closed:
        who = f"user {os.geteuid()}, as whom this runs"
        said.append(f"Files or folders that may not be read by {who}: {_counted(closed)}; chown or chmod them, and")
        said.append("they are taken.")
    if old:
        said.append(f"Files have been lying for over five minutes: {_counted(old)}; frontdoor ingest, and its log says")
        said.append("why (archive, disk, rights).")
    if said:
        return Check("lying", False, f"In the landing zone: {' '.join(said)}")
    return Check("lying", True, "Nothing lies in the landing zone that should have been taken.")


def _counted(lanes: Counter[str]) -> str:
    return ", ".join(f"{count} in {lane}" for lane, count in sorted(lanes.items()))


def _routing(settings: Settings) -> Check:
    from frontdoor.alerts.channels import smtp
    from frontdoor.alerts.outbox import recipients
    from frontdoor.alerts.routing import ContactsError, load_contacts
    from frontdoor.contract import load_house

    try:
        contacts = load_contacts(settings.contacts)
        if settings.smtp_url is None:
            return Check("routing", True, "Mails go to the folder, whoever holds a role.")
        smtp.parse(settings.smtp_url, settings.smtp_password_file)
    except (ContactsError, ValueError) as error:  # both name a setting and quote none of it
        return Check("routing", False, f"{error}.")
    nobody = sorted(
        f"{agency}/{role}" for agency, role in recipients(load_house()) if not contacts.people(agency, role)
    )
    if nobody:
        sentence = f"Nobody is named in FRONTDOOR_CONTACTS as {', '.join(nobody)}: their messages wait."
        return Check("routing", False, sentence)
    return Check("routing", True, "Every role that messages go to is held by somebody.")


def _passfiles(settings: Settings) -> Check:
    from frontdoor import database
    from frontdoor.platform import airflow_database

    try:
        paths = [database.locate(settings).passfile]
        if settings.airflow_database_url:
            paths.append(airflow_database.locate(settings).passfile)
    except database.DatabaseUnavailable as error:
        return Check("passfile", False, str(error))
    there = [path for path in paths if path.exists()]
    unsafe = [str(path) for path in there if path.stat().st_mode & 0o077]
    if unsafe:  # libpq does not read such a file, and says so nowhere that anybody looks
        return Check("passfile", False, f"Can be read by others, so it is not used: chmod 0600 {' '.join(unsafe)}")
    if not there:
        return Check("passfile", settings.database_url is not None, "There is none; the database must do without.")
    return Check("passfile", True, f"{' and '.join(map(str, there))}: for the owner alone.")


def _of_database(settings: Settings) -> Iterator[Check]:
    from frontdoor import database

    try:
        connection = database.connect(settings, application_name="frontdoor doctor")
    except database.DatabaseUnavailable:
        return  # said already
    with closing(connection):
        connection.autocommit = True
        yield _tried("calendar", lambda: _calendar(connection))
        yield _tried("outbox", lambda: _outbox(connection))
        yield _tried("builds", lambda: _builds(connection))
        yield _tried("archive", lambda: _archive(connection, settings))
    with closing(database.connect(settings, application_name="frontdoor doctor")) as another:
        yield _tried("erasure", lambda: _erasure(another, settings))


def _archive(connection: Connection, settings: Settings) -> Check:
    """The key first: without it nothing archived can be read, and taking goes on all the same."""
    from frontdoor.intake import archive, archive_keys

    path, spare = settings.archive_key, archive_keys.spare_file(settings)
    with connection.cursor() as cursor:
        cursor.execute(
            "select key_id, count(distinct stored_name), (array_agg(stored_name order by file_id desc))[1]"
            " from intake.files where stored_name is not null group by key_id"
        )
        sealed = {key_id: (count, name) for key_id, count, name in cursor}
    here = archive_keys.opening(settings)
    lost = {key_id: count for key_id, (count, _) in sealed.items() if key_id is not None and key_id not in here}
    if lost:
        said = ", ".join(f"{count} by key {key_id}" for key_id, count in sorted(lost.items()))
        sentence = (
            f"Archived files cannot be opened, for their key is not in {path}: {said}. Add it as a line of its own"
        )
        return Check("archive", False, f"{sentence}, then replay deliveries that became dead letters meanwhile.")
    if sealed.keys() - {None} and not archive_keys.read(path):
        sentence = f"There is no key in {path}, so files are sealed with {spare}: put the key back and keep both."
        return Check("archive", False, sentence)
    for each in (path, spare):
        if each.exists() and each.stat().st_mode & 0o077:
            return Check("archive", False, f"{each} can be read by others: chmod 0600.")
    try:
        archive.probe(settings)
        if gone := _not_in_the_archive(connection, settings):
            sentence = f"{gone} archived files are not in the archive; what was read of them is in the database"
            return Check("archive", False, f"{sentence}. Bring back a copy of the archive, or ask the senders.")
        for _, name in sealed.values():
            with archive.opened(settings, name):
                pass
    except archive.Damaged as error:
        return Check("archive", False, f"An archived file does not open: {error}. Bring back a copy of the archive.")
    except OSError as error:
        return Check("archive", False, f"The archive cannot be read: {error.strerror or error}.")
    closed = _one(
        connection,
        "select count(*) from quality.dead_letters where reason_code = 'copy_closed' and resolved_at is null",
    )
    if closed:
        sentence = f"{closed} deliveries were not loaded, for our copy did not open (frontdoor unread list): bring back"
        return Check(
            "archive", False, f"{sentence} key or copy, then frontdoor replay; or ask the sender for the file."
        )
    if None in sealed:
        sentence = (
            f"{sealed[None][0]} archived files are not encrypted, from before others were: frontdoor archive seal."
        )
        return Check("archive", False, sentence)
    return Check("archive", True, "What is archived is encrypted, and its keys are here.")


def _not_in_the_archive(connection: Connection, settings: Settings) -> int:
    from frontdoor.intake import archive

    with connection.cursor() as cursor:
        cursor.execute("select distinct stored_name from intake.files where stored_name is not null")
        named = {name for (name,) in cursor}
    there = set(archive.each(settings))
    return len(named - there) if there else 0  # an empty archive is not mounted, which is said when one is opened


def _erasure(connection: Connection, settings: Settings) -> Check:
    from frontdoor.delivery import erasing

    stands = erasing.standing(settings)
    if stands.closed:
        sentence = f"{len(stands.closed)} requests to erase do not open, so who was erased may be here again"
        return Check("erasure", False, f"{sentence}: bring back the archive's key, then frontdoor erase resume.")
    waiting = erasing.unfinished(connection, stands)
    if waiting:
        return Check(
            "erasure", False, f"{len(waiting)} erasures were asked and are not done here: frontdoor erase resume."
        )
    if stands.in_one_place:
        sentence = f"{len(stands.in_one_place)} requests to erase stand in one place of two (home, archive)"
        return Check("erasure", False, f"{sentence}: frontdoor erase resume.")
    try:
        erasing.look_for_returned(connection, settings)
    except erasing.KeyLost as lost:
        return Check("erasure", False, f"Nobody would notice a child who was erased and is sent again: {lost}.")
    came = _one(
        connection,
        "select count(distinct (delivery_id, record_no)) from intake.erased_came_again where noted_by_role is null",
    )
    if came:
        sentence = f"A child who was erased was sent again, in {came} records, which are on the lists"
        return Check("erasure", False, f"{sentence}: frontdoor erase again.")
    return Check("erasure", True, "Every erasure is done, and nobody who was erased was sent again.")


def _calendar(connection: Connection) -> Check:
    known = _one(
        connection,
        "select exists (select from reference.calendar where calendar_date = %s::date + %s)",
        (clock.now(), CALENDAR_AHEAD_DAYS),
    )
    if known:
        return Check("calendar", True, f"Working days are known for the next {CALENDAR_AHEAD_DAYS} days.")
    return Check("calendar", False, "Working days end soon: add bank holidays to dbt_project/seeds/holidays.csv.")


def _outbox(connection: Connection) -> Check:
    stuck = _one(
        connection,
        "select count(*) from alerts.messages where sent_at is null and held_at is null and attempts >= %s",
        (STUCK_ATTEMPTS,),
    )
    if stuck:
        sentence = f"{stuck} messages did not go out in {STUCK_ATTEMPTS} attempts: look at mail and routing."
        return Check("outbox", False, sentence)
    held = _one(connection, "select count(*) from alerts.messages where sent_at is null and held_at is not null")
    if held:
        sentence = f"{held} letters are held, for they may have gone out before the database was brought back"
        return Check("outbox", False, f"{sentence}: frontdoor held.")
    return Check("outbox", True, "No message is stuck.")


def _builds(connection: Connection) -> Check:
    waiting = _one(
        connection,
        "select count(*) from intake.deliveries where status = 'published' and built_in is null"
        " and published_at < %s - make_interval(mins => %s)",
        (clock.now(), UNBUILT_MINUTES),
    )
    if waiting:
        sentence = f"{waiting} deliveries wait for the marts for over {UNBUILT_MINUTES} minutes: frontdoor ingest."
        return Check("builds", False, sentence)
    failed = _one(
        connection,
        "select cardinality(models_failed) from warehouse.builds"
        " where ended_at is not null order by build_id desc limit 1",
    )
    if failed:
        return Check("builds", False, f"{failed} models failed in the last build: see warehouse.builds and HOME/log.")
    return Check("builds", True, "The marts are up to date.")


def _one(connection: Connection, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return row[0] if row else None
