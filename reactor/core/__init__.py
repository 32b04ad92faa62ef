"""FLOOR 2, the decisions: pure and synchronous. May know the model; may not know a clock, chance, logging, I/O or any other part."""
