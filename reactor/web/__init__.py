"""FLOOR 4: the door of the running service: events in, health and numbers out, and the commands of the command line."""
