"""One small file for each command, imported when it is called: its function is `command`, or `app` where there are several."""
