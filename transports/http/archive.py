"""A backup on its way from the appliance to the caller: counted, hashed and looked at.

A backup that is cut short is worse than none, because a procedure then dares what it should not.
An archive named .tar.gz must therefore be a whole gzip stream; an encrypted one (.tar.gz.enc, from
X8.11 on) can only be counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import zlib
from collections.abc import Awaitable, Callable

from transports.base import BackupReceipt
from transports.errors import Garbled

MAX_UNPACKED = 16 * 1024 * 1024 * 1024
_SLICE = 1024 * 1024
_FILE_NAME = re.compile(r"""filename="?([A-Za-z0-9][A-Za-z0-9._-]{0,199})"?\s*(?:;|$)""")
UNNAMED = "system_backup.tar.gz"
"""Our name for an archive that the appliance sent without one."""


def file_name(disposition: str) -> str:
    """The file name in a Content-Disposition header; a plain name, never a path."""
    match = _FILE_NAME.search(disposition)
    return match[1] if match else UNNAMED


class BackupSink:
    """Passes pieces on to `write` and keeps count."""

    def __init__(self, name: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._name = name
        self._write = write
        self._digest = hashlib.sha256()
        self._size = 0
        self._gzip = None if name.endswith(".enc") else _WholeGzip()

    async def take(self, piece: bytes) -> None:
        """The next piece. Raises Garbled where it cannot belong to an archive."""
        if self._gzip is not None:
            await self._gzip.take(piece)
        self._digest.update(piece)
        self._size += len(piece)
        await self._write(piece)

    def finished(self) -> BackupReceipt:
        """The receipt. Raises Garbled where the archive is empty or ends early."""
        if self._size == 0 or (self._gzip is not None and not self._gzip.whole):
            raise Garbled("the backup is not a whole archive")
        return BackupReceipt(self._name, self._size, self._digest.hexdigest())


class _WholeGzip:
    """Whether the pieces so far are a gzip stream with its end and its checksum."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)
        self._unpacked = 0

    @property
    def whole(self) -> bool:
        return self._unpacker.eof

    async def take(self, piece: bytes) -> None:
        rest = piece
        try:
            while rest and not self._unpacker.eof:
                self._unpacked += len(self._unpacker.decompress(rest, _SLICE))
                rest = self._unpacker.unconsumed_tail
                if rest:
                    await asyncio.sleep(0)
                if self._unpacked > MAX_UNPACKED:
                    raise Garbled("the backup unpacks to more than a backup can hold")
        except zlib.error:
            raise Garbled("the backup is not a gzip archive") from None
