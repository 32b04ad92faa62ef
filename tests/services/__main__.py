"""`python -m tests.services`: fetch and build what the tests need, so that no test waits for it. Quick when done."""

import sys
import time

from tests.services import jaeger, kafka, mosquitto, postgres, registry, s3
from tests.services.cache import Unavailable

PARTS = {
    "Apache Kafka": (kafka.external, kafka.prepare, "fetched in seconds"),
    "PostgreSQL": (postgres.external, postgres.prepare, "installed"),
    "schema registry": (registry.external, registry.prepare, "fetched in half a minute"),
    "Mosquitto": (mosquitto.external, mosquitto.prepare, "installed or not"),
    "SeaweedFS": (s3.external, s3.prepare, "fetched in seconds"),
    "Jaeger": (jaeger.external, jaeger.prepare, "built from source once: minutes"),
}


def main() -> None:
    for name, (external, prepare, cost) in PARTS.items():
        if external():
            continue
        started = time.monotonic()
        try:
            prepare()
        except Unavailable as reason:
            print(f"{name}: not to be had, its tests will be skipped. {reason}", file=sys.stderr)
        else:
            took = time.monotonic() - started
            if took > 2:
                print(f"{name}: ready after {took:.0f} s ({cost}).", file=sys.stderr)


if __name__ == "__main__":
    main()
