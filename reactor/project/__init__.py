"""FLOOR 3: a project on disk: its settings, its definitions, its beginning.

Knows the model and the core; no store, no source, no loop.
"""
