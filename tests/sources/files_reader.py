"""A process that reads files and prints how many it has, for the tests that stop it: `files_reader BASE PATTERN
ENOUGH`.
"""

import asyncio
import sys
from pathlib import Path

from reactor.model.ids import SourceName
from reactor.model.seen import FileSeen
from reactor.model.source import Files
from reactor.sources.files import FileSource
from tests.clock import MachineClock


class Nothing:
    async def load_files(self, source: SourceName) -> list[FileSeen]:
        return []


async def main(base: str, pattern: str, enough: str) -> None:
    source = FileSource(Files(pattern, ready="named", rescan="1h"), Path(base), Nothing(), MachineClock())
    await source.start({})
    names: set[str] = set()
    async for batch in source.batches():
        names.update(event.id for event in batch.events)
        print(len(names), flush=True)
        if len(names) >= int(enough):
            break
    await source.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
