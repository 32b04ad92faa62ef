"""systemd's notify protocol: one datagram of `KEY=VALUE` to the socket that the environment names. Elsewhere: nothing."""

import os
import socket


def notify(state: str) -> None:
    """Tells the service manager, where there is one: `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=...`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
        except OSError:
            return  # a manager that does not listen is no reason to stop


def watchdog_seconds() -> float | None:
    """How often the manager wants a sign of life, halved; None: it does not ask for one."""
    asked, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not asked.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(asked) / 2e6
