"""Answers of others, read up to a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator


class TooLong(Exception):
    """There is more than was allowed."""


async def read_at_most(most: int, pieces: AsyncIterator[bytes]) -> bytes:
    """The whole body. Raises TooLong where it is longer than `most` bytes."""
    read = b""
    async for piece in pieces:
        read += piece
        if len(read) > most:
            raise TooLong
    return read
