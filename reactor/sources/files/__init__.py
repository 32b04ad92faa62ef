"""Files that land in folders. The watcher is a hint, the scan is the truth, and what was announced is durable.

`pattern` says which names count, `scan` looks at the disk (in a thread), `inventory` decides without any I/O what
is new and complete, `watch` turns the kernel's notices into hints, and `source` joins them to the contract of a
source.
"""

from reactor.sources.files.source import FileSource

__all__ = ["FileSource"]
