"""What `frontdoor doctor` asks of a Postgres server: everything that an administrator of it can mend, with the SQL.

The same is asked of the embedded server, which has it all. No extension is needed, and nothing of a superuser.
"""

from collections.abc import Iterator
from contextlib import closing

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from frontdoor import database
from frontdoor.contract import load_house
from frontdoor.database import Server
from frontdoor.platform import airflow_database
from frontdoor.platform.check import Check, either
from frontdoor.platform.postgres_options import QUIET_SESSION
from frontdoor.settings import Settings
from frontdoor.warehouse.schema import MIGRATIONS

OLDEST_POSTGRES = 15
# At once, at most: four tasks, each with its own, Great Expectations' and dbt's four; the watch; a person.
OUR_CONNECTIONS = 30
# Of four processes and four tasks, each with a pool.
AIRFLOW_CONNECTIONS = 30
MIGHTY = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")


def of_warehouse(settings: Settings) -> Iterator[Check]:
    """Look at our database, as its owner."""
    try:
        opened = database.connect(settings, application_name="frontdoor doctor")
    except database.DatabaseUnavailable as error:
        yield Check("database", False, f"{error}{_let_in(settings, error)}")
        return
    server = database.locate(settings)
    with closing(opened), opened.cursor() as cursor:
        yield Check("database", True, f"Database {server.name} answers on {server.host}:{server.port}.")
        yield _version("database_version", opened)
        yield _rights(cursor, server)
        yield _owner("database_owner", cursor)
        yield _bi_reader(cursor, server)
        yield _texts(cursor)
        yield _time_zones(cursor)
        yield _encryption("database_encryption", opened, "FRONTDOOR_DATABASE_URL")
        yield _log(cursor)
        is_shared = settings.airflow_database_url is None and settings.database_url is None
        yield _connections("database_connections", cursor, OUR_CONNECTIONS + (AIRFLOW_CONNECTIONS if is_shared else 0))
        yield from _schemas(cursor)


def of_airflow(settings: Settings) -> Iterator[Check]:
    """Look at the database that a setting names for Airflow's own tables, as their owner; nothing where none does."""
    if settings.airflow_database_url is None:
        return
    try:
        opened = airflow_database.connect(settings)
    except database.DatabaseUnavailable as error:
        yield Check("airflow_database", False, f"Airflow's own: {error}")
        return
    server = airflow_database.locate(settings)
    with closing(opened), opened.cursor() as cursor:
        cursor.execute("select current_schema(), has_schema_privilege(current_schema(), 'create')")
        schema, may_create = cursor.fetchone() or (None, None)
        sql = (
            f"create schema {server.owner} authorization {server.owner};"
            f" alter role {server.owner} in database {server.name} set search_path = {server.owner};"
        )
        yield either(
            "airflow_database",
            bool(may_create),
            f"Airflow's tables are in {server.name}, schema {schema}, on {server.host}:{server.port}.",
            f"{server.owner} has no schema of its own in {server.name}, in which to make Airflow's tables: {sql}",
        )
        yield _version("airflow_database_version", opened)
        yield _owner("airflow_database_owner", cursor)
        yield _may_not_read("airflow_database_reads", cursor, server.owner, set())
        yield _encryption("airflow_database_encryption", opened, airflow_database.SETTING)
        yield _connections("airflow_database_connections", cursor, AIRFLOW_CONNECTIONS)


def _let_in(settings: Settings, error: Exception) -> str:
    """What to do where the server answers, and refuses the role."""
    if "permission denied for database" not in str(error) and "does not exist" not in str(error):
        return ""
    server = database.locate(settings)
    return (
        f" Then: frontdoor database create, or where the database is there: alter database {server.name} owner to"
        f" {server.owner};"
    )


def _version(check_id: str, opened: Connection) -> Check:
    version = opened.info.parameter_status("server_version")
    return either(
        check_id,
        opened.server_version // 10000 >= OLDEST_POSTGRES,
        f"Postgres is {version}; no extension is needed.",
        f"Postgres is {version}, but {OLDEST_POSTGRES} or newer is needed: upgrade the server, or name another.",
    )


def _rights(cursor: Cursor, server: Server) -> Check:
    # Ownership and not only the right to make schemas: bi_reader is let in by the owner.
    owns = _one(
        cursor, "select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()"
    ) and _one(cursor, "select has_database_privilege(current_database(), 'create')")
    return either(
        "database_rights",
        bool(owns),
        f"{server.owner} owns {server.name}, and may make schemas.",
        f"{server.owner} does not own {server.name}, or may not make schemas there:"
        f" alter database {server.name} owner to {server.owner};"
        f" grant create on database {server.name} to {server.owner};",
    )


def _owner(check_id: str, cursor: Cursor) -> Check:
    cursor.execute(f"select current_user, {', '.join(MIGHTY)} from pg_roles where rolname = current_user")
    role, *has = cursor.fetchone() or ("?",)
    too_much = [right.removeprefix("rol") for right, given in zip(MIGHTY, has, strict=True) if given]
    less = " ".join(f"no{right.replace('super', 'superuser')}" for right in too_much)
    return either(
        check_id,
        not too_much,
        f"{role} has no right over the server.",
        f"{role} has rights over the server that it does not need: alter role {role} {less};",
    )


def _bi_reader(cursor: Cursor, server: Server) -> Check:
    reader, name, check_id = server.bi_reader, server.name, "bi_reader"
    cursor.execute("select rolcanlogin, rolsuper from pg_roles where rolname = %s", (reader,))
    can_login, is_super = cursor.fetchone() or (None, None)
    if can_login is None:
        return Check(check_id, False, f"The role of BI tools is missing: create role {reader} login;")
    if not can_login or is_super:
        return Check(
            check_id, False, f"{reader} must log in, and be no superuser: alter role {reader} login nosuperuser;"
        )
    if not _one(cursor, "select has_database_privilege(%s, current_database(), 'connect')", reader):
        return Check(check_id, False, f"{reader} may not enter: grant connect on database {name} to {reader};")
    if _one(cursor, "select to_regnamespace('bi') is null"):
        return Check(check_id, False, "There is no schema bi to read: frontdoor database migrate.")
    unread = _one(
        cursor,
        "select not has_schema_privilege(%s, 'bi', 'usage') or exists (select from pg_class"
        " where relnamespace = 'bi'::regnamespace and relkind in ('r', 'v', 'm', 'p')"
        " and not has_table_privilege(%s, oid, 'select'))",
        reader,
        reader,
    )
    if unread:
        sql = f"grant usage on schema bi to {reader}; grant select on all tables in schema bi to {reader};"
        return Check(check_id, False, f"{reader} may not read all of bi: {sql}")
    return _may_not_read(check_id, cursor, reader, {"bi"})


def _may_not_read(check_id: str, cursor: Cursor, role: str, but: set[str]) -> Check:
    """Whether the role is kept out of every schema of ours, but those."""
    cursor.execute(
        "select nspname from pg_namespace where pg_get_userbyid(nspowner) <> %s and nspname <> all(%s)"
        " and nspname <> 'information_schema' and nspname !~ '^pg_' and nspname <> 'public'"
        " and has_schema_privilege(%s, oid, 'usage') order by nspname",
        (role, list(but), role),
    )
    open_to_it = [row[0] for row in cursor.fetchall()]
    reads = f"reads {' and '.join(sorted(but))} and nothing else" if but else "can read nothing about a child"
    return either(
        check_id,
        not open_to_it,
        f"{role} {reads}.",
        f"{role} may enter {', '.join(open_to_it)}: revoke usage on schema {', '.join(open_to_it)} from {role};"
        " and from roles whose member it is, or from public.",
    )


def _texts(cursor: Cursor) -> Check:
    cursor.execute(
        "select current_setting('server_encoding'),"
        " coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate)"
        " from pg_database as d where datname = current_database()"
    )
    encoding, locale = cursor.fetchone() or ("?", "?")
    knows_letters = encoding == "UTF8" and _one(cursor, "select lower('ÉŴÑ') = 'éŵñ' and 'ŵ' ~ '^[[:alpha:]]$'")
    anew = "create database NAME owner OWNER template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8';"
    return either(
        "database_texts",
        bool(knows_letters),
        f"Texts are UTF-8, compared by {locale}.",
        f"Texts are {encoding}, compared by {locale}, which does not know that É is é: labels and names with such"
        f" letters would not be recognised. This is decided when a database is made: {anew}",
    )


def _time_zones(cursor: Cursor) -> Check:
    zones = sorted({"Europe/London", *(agency.timezone for agency in load_house().agencies.values())})
    cursor.execute(
        "select zone from unnest(%s) as zone where zone not in (select name from pg_timezone_names)", (zones,)
    )
    unknown = [row[0] for row in cursor.fetchall()]
    summer = not unknown and _one(
        cursor, "select timestamptz '2026-07-01 12:00Z' at time zone 'Europe/London' = timestamp '2026-07-01 13:00'"
    )
    return either(
        "database_time_zones",
        bool(summer),
        f"The server knows {', '.join(zones)}, and when the clocks change.",
        f"The server does not know {', '.join(unknown) or 'when the clocks change'}: install its time zone data"
        " (Debian's package tzdata) and restart it.",
    )


def _encryption(check_id: str, opened: Connection, setting: str) -> Check:
    """A report, and no judgement: a server on this machine, or a network of its own, may do without."""
    parameters = opened.info.dsn_parameters
    host, mode = parameters.get("host", ""), parameters.get("sslmode")
    verified = f"sslmode=verify-full&sslrootcert=FILE in {setting}"
    if not opened.info.ssl_in_use:
        if host.startswith("/") or host in ("localhost", "127.0.0.1", "::1"):
            return Check(check_id, True, "The way to the database does not leave this machine, and is not encrypted.")
        said = f"What goes to {host} is not encrypted: ssl = on in postgresql.conf, and {verified}."
    elif mode in ("verify-full", "verify-ca"):
        said = f"What goes to {host} is encrypted, and its certificate verified ({mode})."
    else:
        said = f"What goes to {host} is encrypted, but anybody could answer in its name: {verified}."
    return Check(check_id, True, said)


def _log(cursor: Cursor) -> Check:
    """The server's log is no place for a child: by default an error is logged with its values, and the statement."""
    cursor.execute("select name, current_setting(name) from unnest(%s) as name", (list(QUIET_SESSION),))
    loud = sorted(
        name for name, value in cursor.fetchall() if value != QUIET_SESSION[name] and not _is_quieter(name, value)
    )
    sql = " ".join(f"alter role {_current_user(cursor)} set {name} = '{QUIET_SESSION[name]}';" for name in loud)
    return either(
        "database_log",
        not loud,
        "The server logs no value of a record.",
        f"The server's log would hold values of records when a statement fails or is slow: {sql}",
    )


def _is_quieter(name: str, value: str) -> bool:
    return name == "log_min_messages" and value in ("fatal", "panic")


def _current_user(cursor: Cursor) -> str:
    return str(_one(cursor, "select quote_ident(current_user)"))


def _connections(check_id: str, cursor: Cursor, needed: int) -> Check:
    cursor.execute(
        "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true)::int, 0)"
        " - (select count(*) from pg_stat_activity where usename <> current_user),"
        " (select rolconnlimit from pg_roles where rolname = current_user),"
        " (select datconnlimit from pg_database where datname = current_database())"
    )
    free, of_role, of_database = cursor.fetchone() or (0, 0, 0)
    limits = {
        "max_connections in postgresql.conf": free,
        f"alter role {_current_user(cursor)} connection limit": of_role,
        "alter database ... connection limit": of_database,
    }
    short = [f"{name} (now {limit})" for name, limit in limits.items() if 0 <= limit < needed or limit < -1]
    return either(
        check_id,
        not short,
        f"Up to {needed} connections are needed, and {free} free.",
        f"Up to {needed} connections are needed; too few are left by: {', '.join(short)}.",
    )


def _schemas(cursor: Cursor) -> Iterator[Check]:
    applied: set[str] = set()
    if _one(cursor, "select to_regclass('warehouse.migrations') is not null"):
        cursor.execute("select migration from warehouse.migrations")
        applied = {row[0] for row in cursor.fetchall()}
    ours = {path.name for path in MIGRATIONS.glob("[0-9]*.sql")}
    missing = ours - applied
    yield either(
        "schemas",
        not missing,
        f"All {len(applied)} migrations are applied.",
        f"{len(missing)} migrations are not applied: `frontdoor database migrate` applies them, and so does `up`.",
    )
    if applied - ours:
        # Not ill: migrations only add, so this code does its work on tables that a newer one made.
        newer = f"{len(applied - ours)} migrations of a newer release are applied, up to {max(applied - ours)}"
        yield Check("release", True, f"{newer}: this code may go on, as migrations only add.")


def _one(cursor: Cursor, query: str, *parameters: str) -> object:
    cursor.execute(query, parameters or None)
    return (cursor.fetchone() or (None,))[0]
