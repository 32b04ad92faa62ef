"""Reactor starts a task the moment its declared inputs are ready, and says exactly why where it does not.

The public face: what a project's `sensors/` and `workflows/` import.
"""

from reactor.checks import accepted_values, not_null, row_count, unique
from reactor.model.asset import Asset, accepted
from reactor.model.check import Check, check
from reactor.model.condition import at_least, schedule
from reactor.model.errors import DefinitionError, Permanent, ReactorError
from reactor.model.events import CloudEvent, File, Message, Ready, Record, Row, SchemaChange, Tick
from reactor.model.gate import Arrived, Gate, gate
from reactor.model.job import InputView
from reactor.model.job import TaskRun as Run
from reactor.model.partitions import Daily, Dynamic, Hourly, Monthly, Static
from reactor.model.retry import Retry
from reactor.model.sensor import State, sensor
from reactor.model.source import (
    Bucket,
    Files,
    Http,
    Kafka,
    Mqtt,
    PostgresSchema,
    RegistrySchema,
    Schedule,
    Sqs,
    Table,
    Webhook,
)
from reactor.model.workflow import NOTHING, Evidence, Limit, Workflow
from reactor.sources.registry.topic import registered

__all__ = [
    "NOTHING",
    "Arrived",
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
    "Gate",
    "Hourly",
    "Http",
    "InputView",
    "Kafka",
    "Limit",
    "Message",
    "Monthly",
    "Mqtt",
    "Permanent",
    "PostgresSchema",
    "ReactorError",
    "Ready",
    "Record",
    "RegistrySchema",
    "Retry",
    "Row",
    "Run",
    "Schedule",
    "SchemaChange",
    "Sqs",
    "State",
    "Static",
    "Table",
    "Tick",
    "Webhook",
    "Workflow",
    "accepted",
    "accepted_values",
    "at_least",
    "check",
    "gate",
    "not_null",
    "registered",
    "row_count",
    "schedule",
    "sensor",
    "unique",
]
