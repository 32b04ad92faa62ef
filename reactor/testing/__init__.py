"""FLOOR 4, for users' tests: their sensors and rules on virtual time, with faults by a seed. Drives the core;
knows no real source or store.
"""

from reactor.testing.faults import Faults
from reactor.testing.month import Report, simulate
from reactor.testing.simulator import Simulator, Start

__all__ = ["Faults", "Report", "Simulator", "Start", "simulate"]
