"""Messages out of an SQS queue. One is deleted when all that it led to is durable, so a crash brings it again.

One that is not understood is left where it is: the queue's own rule for dead letters takes it out.
"""

from urllib.parse import urlsplit

from reactor.model.duration import SECOND
from reactor.model.events import Json
from reactor.model.ports import Clock
from reactor.model.source import Sqs
from reactor.sources.bucket.access import Access
from reactor.sources.bucket.boto import LONG_POLL, client
from reactor.sources.bucket.hints import Hints
from reactor.sources.bucket.trouble import told

AT_ONCE = 10
FIRST_PAUSE, LONGEST_PAUSE = SECOND // 4, 30 * SECOND


class QueueChannel:
    """The messages of one queue."""

    def __init__(self, spec: Sqs, access: Access, clock: Clock) -> None:
        self._spec, self._access, self._clock = spec, access, clock
        self._trouble = ""

    async def run(self, hints: Hints) -> None:
        """See `Channel.run`."""
        pause = FIRST_PAUSE
        place = urlsplit(self._spec.queue)
        while True:
            try:
                async with client("sqs", self._access, f"{place.scheme}://{place.netloc}") as sqs:
                    while True:
                        await self._some(sqs, hints)
                        pause, self._trouble = FIRST_PAUSE, ""
            except Exception as error:  # noqa: BLE001 - botocore makes an error class for each answer
                self._trouble = str(told(self._spec.queue, error))
            await self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def trouble(self) -> str:
        """See `Channel.trouble`."""
        return self._trouble

    async def _some(self, sqs: Json, hints: Hints) -> None:
        answer = await sqs.receive_message(
            QueueUrl=self._spec.queue, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=LONG_POLL
        )
        self._trouble = ""
        messages = [(m, await hints.message(m["Body"].encode())) for m in answer.get("Messages", ())]
        over = []
        for number, (message, settled) in enumerate(messages):
            if settled is not None:
                await settled
                over.append({"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]})
        if over:
            await sqs.delete_message_batch(QueueUrl=self._spec.queue, Entries=over)
