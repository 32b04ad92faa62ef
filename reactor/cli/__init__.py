"""FLOOR 5: the command line. Data to stdout, messages to stderr; every command has `--json`; colour only where it is wanted."""
