"""What people are shown, as plain values: the command line prints them, the web draws them, `--json` is them.

May know: the reader's contract, the graph, the core's explanations. Reads only, decides nothing. Times are ISO 8601 texts in UTC.
"""
