"""The plugin under test, where it is not installed by its entry point."""

from reactor.testing.plugin import reactor_sim

__all__ = ["reactor_sim"]
