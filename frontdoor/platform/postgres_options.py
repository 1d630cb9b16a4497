"""How the embedded server is tuned, and what it may write down.

The log of a database is where a child's name ends up by accident: the text of an error carries the value that failed
("invalid input syntax for type date: ..."), its DETAIL the key that clashed, and a crash the statement that ran.
So errors of sessions are not logged at all (their clients get them, and say the SQLSTATE), and what the server says
of itself is logged in its terse form, which has no DETAIL, CONTEXT or STATEMENT. Only a superuser can change that.
"""

import psutil

from frontdoor.platform.ports import HOST

MEBIBYTE = 1024 * 1024

# Of a session; on a server that is not ours an administrator sets them for our role (`frontdoor database create`).
QUIET_SESSION = {
    "log_min_messages": "log",  # in the order of this setting `log` ranks above `error`
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_lock_waits": "off",
}

_QUIET = {
    **QUIET_SESSION,
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_autovacuum_min_duration": "-1",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "lc_messages": "C",
}

_QUICK = {
    "max_connections": "100",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than it saves on lists of this size
    "wal_level": "minimal",  # one server, no replica: rows of a partition made in the same commit skip the log
    "max_wal_senders": "0",
    "wal_buffers": "16MB",
    "wal_compression": "on",
    "min_wal_size": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
}

# For servers that live as long as a test: nothing survives a crash, everything is quicker.
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "5min"}


def options(port: int, *, durable: bool) -> list[str]:
    """`name=value` for every setting, to be given on the server's command line, where no file can contradict them."""
    memory = psutil.virtual_memory().total // MEBIBYTE
    chosen = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "shared_buffers": f"{max(128, min(512, memory // 8))}MB",
        "effective_cache_size": f"{max(256, memory // 3)}MB",
        **_QUIET,
        **_QUICK,
        **({} if durable else _FORGETFUL),
    }
    return [f"{name}={value}" for name, value in chosen.items()]
