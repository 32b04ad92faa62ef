"""What can go wrong, by whose turn it is. A text says what happened, why, and what to do, in that order."""

import difflib
from collections.abc import Iterable


class ReactorError(Exception):
    """The base of every error that Reactor raises on purpose. `exit_code` is what a command ends with."""

    exit_code = 1


class DefinitionError(ReactorError):
    """The user's definitions cannot be right: refused when they are loaded, never later."""

    exit_code = 2


class ConfigError(ReactorError):
    """A setting cannot be right, or the place it names cannot be used."""

    exit_code = 2


class NotFound(ReactorError):
    """There is no such run, asset, task or dead letter."""

    exit_code = 4


class Unreachable(ReactorError):
    """The service, a broker or a database does not answer."""

    exit_code = 69


class StoreBusy(ReactorError):
    """Another engine holds this database."""

    exit_code = 75


class StoreTooNew(ReactorError):
    """The database was written by a newer version of Reactor: opening it could lose what this one cannot read."""


class StoreCorrupt(ReactorError):
    """The database does not hold together. Nothing is started on it."""


class StoreOlder(ReactorError):
    """The database holds less than it once did: a backup was put back. Nothing is started on it before somebody says so."""


class StoreFull(ReactorError):
    """The disk takes no more. The transaction was rolled back whole and may be tried again once there is room."""

    exit_code = 75


class StoreFailed(ReactorError):
    """The disk under the database failed while it was written. Nothing of the transaction was acknowledged; the engine must stop."""


class StoreRefused(ReactorError):
    """A transaction would break a rule that the database itself holds, such as two runs of one generation: a defect of ours."""


class Fenced(ReactorError):
    """Somebody else moved a position or took the lease: this engine's view is out of date and it must stop."""


class Permanent(Exception):
    """Raised by a task: trying again cannot help. The run fails at once, whatever its retry says."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'orders'?"`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
