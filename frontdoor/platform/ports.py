"""A port on loopback that nobody has."""

import socket
from collections.abc import Callable

import psutil

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


def listens(pid: int | None, port: int) -> bool:
    """Whether that very process listens there: an answer alone may come from another platform's server."""
    try:
        found = psutil.Process(pid).net_connections("tcp") if pid is not None else []
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port for one in found)


def choose_port(wanted: int, whose: str, say: Callable[[str], None]) -> int:
    """`wanted`, or a free one when it is taken, which is said; 0 means any."""
    if is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    _say_moved(wanted, port, whose, say)
    return port


def reserve_port(wanted: int, whose: str, say: Callable[[str], None]) -> tuple[int, socket.socket]:
    """Like `choose_port`, for a server that takes long to listen; keep the socket open for as long as the port is used.

    The reservation is the UDP port of the same number: it does not disturb the TCP server, and a second platform that
    starts meanwhile sees it, where looking at TCP alone would have both choose the same port.
    """
    port = wanted
    while True:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if is_free(port):
                reservation.bind((HOST, port))
                break
        except OSError:
            pass
        reservation.close()
        port = choose_port(0, whose, say)
    if port != wanted:
        _say_moved(wanted, port, whose, say)
    return port, reservation


def _say_moved(wanted: int, port: int, whose: str, say: Callable[[str], None]) -> None:
    if wanted > 0:
        say(f"{whose} port {wanted} is taken; using {port}.")
