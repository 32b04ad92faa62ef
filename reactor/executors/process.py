"""Functions in warm worker processes: what must be stoppable, what may crash, what needs a core of its own.

May know: workers and the frames. May not know: the user's definitions, which a worker loads by the loader's name.

A timeout or a cancel is SIGTERM to the worker's process group, a grace, SIGKILL; the answer is given when it is
gone, and a new worker takes its place. A worker that dies is an answer too: how, and with which code.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from functools import partial

from reactor.executors.attempt import CANCELLED, Attempt, Desk
from reactor.executors.base import Logs, Report
from reactor.executors.checking import CHECK_LIMIT
from reactor.executors.child import GRACE, Spawner
from reactor.executors.exits import explain
from reactor.executors.frames import Checking, Done, Loader, Setup, judged
from reactor.executors.hand import Hand
from reactor.executors.judge import Judged, failed
from reactor.model.ids import RunId
from reactor.model.job import Job
from reactor.model.outcome import Ending
from reactor.model.ports import Clock
from reactor.model.workflow import Task

_log = logging.getLogger(__name__)


class Process:
    """The executor of functions in worker processes: at most `workers`, started when they are needed (`warm`: all
    at the start), then kept.
    """

    name = "process"

    def __init__(
        self,
        clock: Clock,
        logs: Logs,
        loader: Loader,
        *,
        workers: int,
        warm: bool = False,
        grace: int = GRACE,
        check_limit: float = CHECK_LIMIT,
    ) -> None:
        self._desk = Desk(self.name, clock, logs)
        self._setup = Setup(loader, check_limit)
        self._most = workers
        self._warm = warm
        self._grace = grace
        self._spawner = Spawner()
        self._hands: set[Hand] = set()
        self._free: list[Hand] = []
        self._queue: deque[Attempt] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        for _ in range(self._most if self._warm else 0):
            self._hire()

    def submit(self, job: Job, task: Task, report: Report) -> None:
        attempt = self._desk.take(job, task, report)
        if self._free:
            self._begin(self._free.pop(), attempt)
        else:
            self._queue.append(attempt)
            self._staff()

    def cancel(self, run: RunId, token: int) -> None:
        attempt = self._desk.find(run, token)
        if attempt is not None:
            self._stop(attempt, CANCELLED)

    def reload(self, loader: Loader) -> None:
        """The definitions changed: attempts that begin from now on run on new workers; those under way end on the
        old ones.
        """
        self._setup = Setup(loader, self._setup.check_limit)
        for hand in list(self._hands):
            if hand.attempt is None:
                self._dismiss(hand)
            hand.leaving = True
        for _ in range(self._most - len(self._hands) if self._warm else 0):
            self._hire()

    async def stop(self, grace: float) -> None:
        await self._desk.drain(grace)
        self._stopping = True
        self._queue.clear()
        while self._tasks:
            for hand in list(self._hands):
                await hand.end(self._desk.clock, 0)
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._spawner.close()

    def _staff(self) -> None:
        """As many workers on their way as there are attempts that wait, within the bound."""
        coming = sum(1 for hand in self._hands if not hand.up)
        for _ in range(min(self._most - len(self._hands), len(self._queue) - coming)):
            self._hire()

    def _hire(self) -> None:
        hand = Hand(self._said)
        self._hands.add(hand)
        self._do(self._employ(hand, self._setup))

    async def _employ(self, hand: Hand, setup: Setup) -> None:
        """A worker's whole life."""
        try:
            await hand.start(self._spawner, setup)
        except Exception as error:  # noqa: BLE001 - the system refuses: memory, processes, files
            self._retire(hand)
            self._refuse(
                failed(f"A worker could not be started: {error}. Look at the limits for processes, files and memory.")
            )
            return
        if self._stopping:
            await hand.end(self._desk.clock, 0)
        code = await hand.exited()
        self._retire(hand)
        self._lost(hand, code)

    def _retire(self, hand: Hand) -> None:
        self._hands.discard(hand)
        if hand in self._free:
            self._free.remove(hand)

    def _lost(self, hand: Hand, code: int) -> None:
        """It is gone. Whoever it worked for is told; whoever waits gets another one."""
        if self._stopping:
            return
        attempt, hand.attempt = hand.attempt, None
        if attempt is not None:
            attempt.answer(_died(code, hand.kills_before))
        elif not hand.up and not hand.leaving:
            text = hand.error or f"it {explain(code, hand.kills_before).text} before it was ready."
            self._refuse(failed(f"A worker could not load the definitions: {text}"))
        self._staff()

    def _refuse(self, why: Judged) -> None:
        """The oldest attempt that waits is answered with what went wrong: trouble with workers is told, and does
        not go round for ever.
        """
        _log.warning("%s", why.error)
        if self._queue:
            self._queue.popleft().answer(why)

    def _said(self, hand: Hand, said: Done | Checking | None) -> None:
        """It is up (None), has turned to its checks, or is done with its attempt."""
        attempt = hand.attempt
        if attempt is not None and attempt.asked is not None:
            return  # told to stop before: the answer is given when it is gone
        if isinstance(said, Checking):
            if attempt is not None:
                attempt.later(round(said.seconds * 1e6), partial(self._stop, attempt, _ENDLESS))
            return
        hand.attempt = None
        if hand.leaving or (said is not None and said.spent):
            self._dismiss(hand)
        elif self._queue:
            self._begin(hand, self._queue.popleft())
        else:
            self._free.append(hand)
        if attempt is not None and said is not None:
            attempt.answer(judged(said))

    def _begin(self, hand: Hand, attempt: Attempt) -> None:
        attempt.limit(self._stop)
        hand.begin(attempt)

    def _dismiss(self, hand: Hand) -> None:
        hand.leaving = True
        self._retire(hand)
        self._do(hand.end(self._desk.clock, self._grace))
        self._staff()

    def _stop(self, attempt: Attempt, why: Judged) -> None:
        if attempt.asked is not None:
            return
        if attempt in self._queue:
            self._queue.remove(attempt)
            attempt.answer(why)
            return
        hand = next((h for h in self._hands if h.attempt is attempt), None)
        if hand is not None:
            attempt.asked = why
            self._do(hand.end(self._desk.clock, self._grace))

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_ENDLESS = failed(
    "Its checks do not end, and hold the worker so that it cannot give them up itself. Nothing was announced. "
    "Put the checks right, then try "
    "the run again.",
    permanent=True,
)


def _died(code: int, kills_before: int | None) -> Judged:
    text, permanent = explain(code, kills_before)
    return Judged(Ending.DIED, f"The process that ran it {text}.", permanent, exit_code=code)
