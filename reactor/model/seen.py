"""What the sources of files and of objects remember of each name, so that neither a restart nor a crash makes them miss
one or announce one twice.
"""

import msgspec

from reactor.model.ids import SourceName


class FileSeen(msgspec.Struct, frozen=True, gc=False):
    """The content of one name that was announced last. Saved in the same transaction as the position of its event."""

    source: SourceName
    name: str
    """The source's own key for the file: its name below the folder, escaped where it is not UTF-8."""
    inode: int
    """What tells this content from another of the same size and time: of an object, a digest of its etag."""
    size: int
    mtime_ns: int
    version: int
    """The n-th content under this name, from 1."""
