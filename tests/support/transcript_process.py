"""A job's exchanges in a process of their own, to be killed in the middle of an act.

`python -m tests.support.transcript_process URL FILE`: one look and one act that is answered, then
an act that writes FILE when it reaches the peer and is never answered.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path as File

from app.engine.clock import SystemClock
from app.security.redaction import Redactor
from app.services.transcript import Notebook, Recorded
from app.services.transcript_writer import TranscriptWriter
from app.storage.database import journal_pool
from app.storage.transcripts import Transcripts
from transports.command import Command
from transports.document import Node, Path


class Peer:
    """Answers everything but `Boot`."""

    name = "ssh"
    capabilities = frozenset()

    def __init__(self, file: File) -> None:
        self._file = file

    async def read_status(self, path: Path) -> Node:
        return Node("Status", children=[Node("Name", value="exp1")])

    async def run(self, command: Command) -> Node:
        if command.name == "Boot":
            self._file.write_text("reached")
            await asyncio.Event().wait()
        return Node("Result")


async def main(url: str, file: File) -> None:
    async with journal_pool(url) as pool:
        writer = TranscriptWriter(Transcripts(pool))
        writing = asyncio.create_task(writer.run())
        notebook = Notebook("job-1", writer, Redactor(), SystemClock())
        peer = Recorded(Peer(file), "peer-1", notebook)
        await peer.read_status(Path.parse("SystemUnit"))
        await peer.run(Command("DisconnectCall", {"Call": "1"}))
        await peer.run(Command("Boot"))
        await writing


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], File(sys.argv[2])))
