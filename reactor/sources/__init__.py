"""FLOOR 2, the hands: where events come from. May know the model; may not know the core, a store or an executor."""
