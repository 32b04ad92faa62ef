"""FLOOR 2, the hands: where tasks run. May know the model; may not know the core, a store or a source."""
