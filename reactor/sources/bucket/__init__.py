"""Objects that land in buckets: on S3, GCS and Azure by the same code, and `file://` too. The listing is the truth, and a
notification is a hint.

- `place` says where and which names count, `access` how to get there.
- `objects` looks (the one file that knows obstore), `plain` lists what obstore refuses, `trouble` says in words what a
  server meant.
- `inventory` decides without any I/O what is new.
- `notifications` reads what servers tell, `hints` keeps it until what it led to is durable; it comes by `channels` (topics),
  `queue` (SQS) or `webhook`.
- `source` joins them to the contract of a source, and `opening` makes one.

obstore and aiobotocore are imported when the first bucket is opened, and not before.
"""

from reactor.sources.bucket.access import Access
from reactor.sources.bucket.channels import TopicChannel
from reactor.sources.bucket.notifications import NotANotification
from reactor.sources.bucket.opening import objects_of, open_bucket, open_queue
from reactor.sources.bucket.source import BucketSource
from reactor.sources.bucket.trouble import OutOfReach
from reactor.sources.bucket.webhook import Webhook

__all__ = [
    "Access",
    "BucketSource",
    "NotANotification",
    "OutOfReach",
    "TopicChannel",
    "Webhook",
    "objects_of",
    "open_bucket",
    "open_queue",
]
