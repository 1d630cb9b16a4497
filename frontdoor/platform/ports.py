"""A port on loopback that nobody has."""

import socket
from collections.abc import Callable

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now (0 is not a port)."""
    if port <= 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_port(wanted: int, whose: str, say: Callable[[str], None]) -> int:
    """`wanted`, or a free one when it is taken, which is said; 0 means any."""
    if is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    if wanted > 0:
        say(f"{whose} port {wanted} is taken; using {port}.")
    return port
