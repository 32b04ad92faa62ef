"""The tables in the tests' output."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tables:
    """What the tests found out, in lines."""

    kills: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
