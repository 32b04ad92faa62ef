"""FLOOR 2, the hands: traces, metrics and logs. May know the model; may not know the core, a store or a source."""
