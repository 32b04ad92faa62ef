"""FLOOR 2, the hands: how a named person hears. May know the model; may not know the core, a store or a source."""
