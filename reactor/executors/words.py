"""The words of a command, with the job's values filled in, and the environment that it finds itself in.

May know: the job. May not know: processes. A value is one word, or a part of one, whatever it contains: no shell
ever sees it.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from reactor.model.errors import nearest
from reactor.model.job import Job

_PLACE = re.compile(r"\{\{(?P<literal>[^{}]*)\}\}|\{(?P<name>[A-Za-z_][A-Za-z0-9_.:-]*)\}")
_SIMPLE = ("partition", "run_id", "attempt")


class BadWords(Exception):
    """A placeholder cannot be filled in."""


def fill(words: Sequence[str], job: Job) -> list[str]:
    """The words with `{partition}`, `{run_id}`, `{attempt}` and `{input.ASSET.FIELD}` replaced; `{{x}}` stands for
    `{x}`.

    Braces around anything that is no name (JSON, for one) stay as they are.

    Raises:
        BadWords: there is no such placeholder, input or field, or it has no value.
    """
    return [_PLACE.sub(lambda found: _one(found, job), word) for word in words]


def _one(found: "re.Match[str]", job: Job) -> str:
    name = found["name"]
    if name is None:
        return "{" + found["literal"] + "}"
    if name == "run_id":
        return job.run
    if name == "attempt":
        return str(job.attempt)
    if name == "partition":
        if not job.partition:
            raise BadWords(
                f"Command {job.task!r} uses {{partition}}, but it is not partitioned. "
                "Leave it out, or give it partitions=..."
            )
        return job.partition
    if name.startswith("input."):
        return _input(name, job)
    raise BadWords(
        f"Command {job.task!r} uses {{{name}}}, but there is no such placeholder.{nearest(name, _SIMPLE)} There "
        f"are {{partition}}, {{run_id}}, "
        f"{{attempt}} and {{input.ASSET.FIELD}}; write {{{{{name}}}}} for the text {{{name}}} itself."
    )


def _input(name: str, job: Job) -> str:
    asset, _, field = name.removeprefix("input.").rpartition(".")
    views = {view.asset: view for view in job.inputs}
    if asset not in views:
        known = ", ".join(views) or "none"
        raise BadWords(
            f"Command {job.task!r} uses {{{name}}}, but this run has no input {asset!r}.{nearest(asset, views)} "
            f"Its inputs: {known}."
        )
    evidence = views[asset].evidence
    value = evidence.get(field)
    if value is None:
        known = ", ".join(map(str, evidence)) or "nothing"
        raise BadWords(
            f"Command {job.task!r} uses {{{name}}}, but the evidence of {asset} has no "
            f"{field!r}.{nearest(field, map(str, evidence))} "
            f"It has: {known}."
        )
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def environment(around: Mapping[str, str], job: Job, evidence: str) -> dict[str, str]:
    """What the command finds in its environment: the engine's own without Reactor's settings, which may hold
    secrets, and the run.
    """
    env = {key: value for key, value in around.items() if not key.startswith("REACTOR_") and key != "TRACEPARENT"}
    if job.traceparent is not None:
        env["TRACEPARENT"] = job.traceparent
    return env | {
        "REACTOR_RUN_ID": job.run,
        "REACTOR_TASK": job.task,
        "REACTOR_WORKFLOW": job.workflow,
        "REACTOR_PARTITION": job.partition,
        "REACTOR_KEY": job.key,
        "REACTOR_ATTEMPT": str(job.attempt),
        "REACTOR_FENCING_TOKEN": str(job.token),
        "REACTOR_INPUTS": msgspec.json.encode(job.inputs).decode(),
        "REACTOR_EVIDENCE": evidence,
    }
