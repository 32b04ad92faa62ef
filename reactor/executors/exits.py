"""What an exit code says, and whether another try can help: the one table, for commands and for workers.

May know: the conventions of Unix. May not know: who ended.

| ended with | meaning | another try |
|---|---|---|
| 0 | success | |
| 64, 65, 78 | wrong usage, wrong data, wrong configuration (sysexits) | cannot help |
| 126, 127 | not executable, not found | cannot help |
| SIGKILL or 137 while the kernel counted an out-of-memory kill, or keeps no count | out of memory | cannot help |
| any other signal (negative), or 129-192 (a signal that a shell passed on) | killed, or crashed | may help |
| any other code | failed | may help |
"""

import signal
from pathlib import Path
from typing import NamedTuple

_VMSTAT = Path("/proc/vmstat")
_FINAL = {
    64: "which says: wrong usage; put the command's words right",
    65: "which says: wrong input data; put the data right",
    78: "which says: wrong configuration; put it right",
    126: "which says: it may not be executed; look at its permissions",
    127: "which says: there is no such command; install it, or name its full path",
}


class Exit(NamedTuple):
    text: str
    """`ended with exit code 3`."""
    permanent: bool


def explain(code: int, kills_before: int | None) -> Exit:
    """`code` as `subprocess` gives it: negative for a signal. `kills_before`: what `memory_kills` said when it
    began.
    """
    number = -code if code < 0 else code - 128 if 128 < code <= 192 else 0
    if number == signal.SIGKILL:
        return _killed(code, kills_before)
    if number:
        return Exit(f"{_how(code)} ({_name(number)})", permanent=False)
    if code in _FINAL:
        return Exit(f"{_how(code)}, {_FINAL[code]}", permanent=True)
    return Exit(_how(code), permanent=False)


def memory_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since it started; None where it does not say."""
    try:
        lines = _VMSTAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _killed(code: int, before: int | None) -> Exit:
    now = memory_kills()
    if before is not None and now == before:
        return Exit(f"{_how(code)} (SIGKILL); somebody killed it, and it was not for want of memory", permanent=False)
    return Exit(
        f"{_how(code)} (SIGKILL), probably because memory ran out. With the same memory it would again: give it "
        "more, or "
        "smaller parts, then try the run again",
        permanent=True,
    )


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
