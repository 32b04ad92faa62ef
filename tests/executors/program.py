"""The tasks of `bodies`, as a program: its first word says which. Knows nothing of Reactor but its environment."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def hangs() -> None:
    print("INFO began", flush=True)
    time.sleep(30)


def main(body: str, *words: str) -> int:  # noqa: C901 - one branch for each task
    inputs = {each["asset"]: each for each in json.loads(os.environ["REACTOR_INPUTS"])}
    place = Path(os.environ["REACTOR_EVIDENCE"])
    if body == "evidence":
        facts = {
            "rows": 42,
            "partition": os.environ["REACTOR_PARTITION"],
            "attempt": int(os.environ["REACTOR_ATTEMPT"]),
            "orders": inputs["orders"]["evidence"]["rows"],
        }
        place.write_text(json.dumps(facts, indent=2))
    elif body == "raises":
        print("ValueError: bad row 7", file=sys.stderr)
        return 3
    elif body == "gives_up":
        print("Permanent: no such account")
        return 64
    elif body == "answers_wrongly":
        place.write_text("42")
    elif body == "writes_no_json":
        place.write_text("{rows: 42")
    elif body == "says":
        print("INFO counted 42 rows\nWARNING two\nlines")
    elif body == "hangs":
        hangs()
    elif body == "ignores_the_end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        hangs()
    elif body == "leaves_a_child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(f"INFO child {child.pid}", flush=True)
        if "then-ends" not in words:
            hangs()
    elif body == "speaks_binary":
        escape = b"\xff\xfe\x00 raw \x1b[31mred\x1b[0m <b>\n"
        sys.stdout.buffer.write(escape + b"x" * 100_000 + b"\nlast, without an end")
    elif body == "exits":
        return int(words[0])
    elif body == "kills_itself":
        os.kill(os.getpid(), int(words[0]))
    elif body == "echoes":
        env = {key: value for key, value in os.environ.items() if key.startswith(("REACTOR_", "TRACE", "SECRET"))}
        place.write_text(json.dumps({"words": words, "env": env}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
