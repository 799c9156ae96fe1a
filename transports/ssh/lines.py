"""Bytes from a terminal to lines, whatever the line end and wherever the network cuts them."""

from __future__ import annotations

from collections.abc import Iterator


class LineSplitter:
    r"""Splits at `\r\n`, `\n` and `\r` alone; keeps what has no line end yet.

    Work is linear in the bytes fed, also where a long line comes in one byte at a time.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._after_return = False

    @property
    def tail(self) -> str:
        """The text after the last line end, usually a prompt."""
        return decoded(b"".join(self._pieces))

    @property
    def tail_size(self) -> int:
        """How many bytes wait for a line end."""
        return self._size

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The lines that this chunk completes."""
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_return = False
        if not chunk:
            return
        self._after_return = chunk.endswith(b"\r")
        pieces = chunk.splitlines(keepends=True)
        for piece in pieces:
            content = piece.rstrip(b"\r\n")
            self._pieces.append(content)
            self._size += len(content)
            if len(content) < len(piece):
                line = decoded(b"".join(self._pieces))
                self._pieces.clear()
                self._size = 0
                yield line


def decoded(content: bytes) -> str:
    """The text of a line; bytes that are no UTF-8 become replacement characters."""
    return content.decode("utf-8", errors="replace")
