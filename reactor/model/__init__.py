"""FLOOR 1: frozen values.

May know: the standard library and msgspec. May not know: any other part of Reactor, a clock, a random number, I/O.
Everything above this floor speaks in these values, so nothing here holds a handle to a service.
"""
