"""FLOOR 2, the hands: keepers of the ledger. May know the model; may not know the core, a source or an executor."""
