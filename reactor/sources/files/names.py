"""File names as text that any database, JSON and terminal can take. Unix names are bytes; a few of them are not
UTF-8.
"""

import os
from urllib.parse import quote_from_bytes, unquote_to_bytes

_ESCAPED = "//"
"""Begins the key of a name that is not UTF-8. No relative name contains it."""


def valid(name: str) -> bool:
    """Whether the name is UTF-8 on disk."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """The name to be read by people: bytes that are not UTF-8 stand as `\\xe9`."""
    return name if valid(name) else os.fsencode(name).decode("utf-8", "backslashreplace")


def key_of(name: str) -> str:
    """A name as the ledger keeps it. Two names never share a key."""
    return name if valid(name) else _ESCAPED + quote_from_bytes(os.fsencode(name))


def name_of(key: str) -> str:
    """The name as the system gives it."""
    return os.fsdecode(unquote_to_bytes(key.removeprefix(_ESCAPED))) if key.startswith(_ESCAPED) else key
