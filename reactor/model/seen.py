"""What a folder's watcher remembers of each file, so that neither a restart nor a crash makes it miss one or
announce one twice.
"""

import msgspec

from reactor.model.ids import SourceName


class FileSeen(msgspec.Struct, frozen=True, gc=False):
    """The content of one name that was announced last. Saved in the same transaction as the position of its event."""

    source: SourceName
    name: str
    """The source's own key for the file: its name relative to the watched folder, escaped where it is not UTF-8."""
    inode: int
    size: int
    mtime_ns: int
    version: int
    """The n-th content under this name, from 1."""
