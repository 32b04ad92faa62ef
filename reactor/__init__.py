"""Reactor starts a task the moment its declared inputs are ready, and says exactly why where it does not.

The public face: what a project's `sensors/` and `workflows/` import.
"""

from reactor.checks import accepted_values, not_null, row_count, unique
from reactor.model.asset import Asset
from reactor.model.check import Check, check
from reactor.model.condition import at_least, schedule
from reactor.model.errors import DefinitionError, Permanent, ReactorError
from reactor.model.events import CloudEvent, File, Ready, Record, Row, Tick
from reactor.model.job import InputView
from reactor.model.job import TaskRun as Run
from reactor.model.partitions import Daily, Dynamic, Hourly, Monthly, Static
from reactor.model.retry import Retry
from reactor.model.sensor import State, sensor
from reactor.model.source import Bucket, Files, Http, Kafka, Schedule, Sqs, Table
from reactor.model.workflow import NOTHING, Evidence, Limit, Workflow

__all__ = [
    "NOTHING",
    "Asset",
    "Bucket",
    "Check",
    "CloudEvent",
    "Daily",
    "DefinitionError",
    "Dynamic",
    "Evidence",
    "File",
    "Files",
    "Hourly",
    "Http",
    "InputView",
    "Kafka",
    "Limit",
    "Monthly",
    "Permanent",
    "ReactorError",
    "Ready",
    "Record",
    "Retry",
    "Row",
    "Run",
    "Schedule",
    "Sqs",
    "State",
    "Static",
    "Table",
    "Tick",
    "Workflow",
    "accepted_values",
    "at_least",
    "check",
    "not_null",
    "row_count",
    "schedule",
    "sensor",
    "unique",
]
