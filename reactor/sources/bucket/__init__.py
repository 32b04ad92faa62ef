"""Objects that land in buckets: on S3, GCS and Azure by the same code, and `file://` too. The listing is the truth.

`place` says where and which names count, `objects` looks (the one file that knows obstore), `plain` lists what obstore
refuses, `inventory` decides without any I/O what is new, `trouble` says in words what a server meant, `source` joins
them to the contract of a source, and `opening` makes one. obstore is imported when the first bucket is opened, and not
before.
"""

from reactor.sources.bucket.access import Access
from reactor.sources.bucket.opening import objects_of, open_bucket
from reactor.sources.bucket.source import BucketSource
from reactor.sources.bucket.trouble import OutOfReach

__all__ = ["Access", "BucketSource", "OutOfReach", "objects_of", "open_bucket"]
