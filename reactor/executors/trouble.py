"""An exception in a user's code, told so that its author finds the line: type, message, and their part of the
traceback.

May know: the standard library. May not know: jobs, or what follows from the trouble.
"""

import traceback
from itertools import dropwhile
from pathlib import Path
from types import FrameType, TracebackType

_HERE = str(Path(__file__).parent)
_ASYNCIO = str(Path(traceback.__file__).parent / "asyncio")
_TURN = f"{_ASYNCIO}/events.py"
_STEPS = frozenset({"_run", "_judge", "_call"})
"""The functions below which the user's begin: asyncio's turn of the loop, and ours that call them."""
_LONGEST_MESSAGE = 2000
_MOST_FRAMES = 15
_MOST_PARTS = 5


def describe(error: BaseException) -> str:
    """The summary on the first line, then the frames of the user's part, then what caused it."""
    lines = [summary(error), *_frames(error.__traceback__)]
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:_MOST_PARTS]:
            lines += [f"within it, {summary(part)}", *_frames(part.__traceback__)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += [f"because of {summary(cause)}", *_frames(cause.__traceback__)]
    return "\n".join(lines)


def summary(error: BaseException) -> str:
    """`ValueError: bad row 7`."""
    text = "".join(traceback.format_exception_only(error)).strip()
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} [... {len(text)} characters in all]"


def stack(frame: FrameType) -> str:
    """Where a running thread stands, from the first frame of the user's code."""
    found = traceback.extract_stack(frame)
    turns = [n for n, f in enumerate(found) if f.filename.startswith((_HERE, _TURN)) and f.name in _STEPS]
    return "\n".join(_tell(found[turns[-1] + 1 :] if turns else list(found)))


def _frames(trace: TracebackType | None) -> list[str]:
    return _tell(list(traceback.extract_tb(trace)))


def _tell(found: list[traceback.FrameSummary]) -> list[str]:
    """Without the way to the user's code: Reactor's own frames, and asyncio's before the first of the user's."""
    ours = [n for n, frame in enumerate(found) if frame.filename.startswith(_HERE)]
    rest = found[ours[-1] + 1 :] if ours else found
    kept = list(dropwhile(lambda frame: frame.filename.startswith(_ASYNCIO), rest)) or found
    text = "".join(traceback.StackSummary.from_list(kept[-_MOST_FRAMES:]).format())
    return text.rstrip().splitlines()
