"""The simulated day: a real service in a temporary project, fed by a script, on a clock that runs 600 times as fast."""
