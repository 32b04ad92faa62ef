"""What dbt leaves behind: `manifest.json` (v12), `run_results.json` (v6) and `sources.json` (v3), for sensors on these files.

@sensor(Files("target/run_results.json"))
def dbt_built(file: File) -> Ready:
    results, manifest = dbt.run_results(file.path), dbt.manifest("target/manifest.json")
    return dbt.ready(orders, "2026-11-20", results.of("orders"), results.tests(manifest, "orders"))
"""

from reactor.schemas.dbt.freshness import Freshness, Freshnesses, sources
from reactor.schemas.dbt.manifest import Changes, Manifest, Model, changes, manifest
from reactor.schemas.dbt.ready import ready, tests_passed
from reactor.schemas.dbt.results import Result, RunResults, run_results

__all__ = [
    "Changes",
    "Freshness",
    "Freshnesses",
    "Manifest",
    "Model",
    "Result",
    "RunResults",
    "changes",
    "manifest",
    "ready",
    "run_results",
    "sources",
    "tests_passed",
]
