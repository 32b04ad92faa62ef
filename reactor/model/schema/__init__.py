"""Schemas, what changed between two of them, and what that means: one vocabulary over all kinds of schema.

Law: pure; the standard library, msgspec and the model's errors. Whoever uses it imports from here.
"""

from reactor.model.schema.changes import CLASSES, Alteration, Change, Compatibility, worst
from reactor.model.schema.diff import Diff, diff, narrow, refuse_unknown
from reactor.model.schema.fit import join
from reactor.model.schema.types import Basis, Dialect, Field, Schema, SchemaError

__all__ = [
    "CLASSES",
    "Alteration",
    "Basis",
    "Change",
    "Compatibility",
    "Dialect",
    "Diff",
    "Field",
    "Schema",
    "SchemaError",
    "diff",
    "join",
    "narrow",
    "refuse_unknown",
    "worst",
]
