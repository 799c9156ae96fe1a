"""A file upload as a form sends it, streamed and of a length known beforehand.

Old web servers take a chunked upload badly, so the length is announced: the file is read once to
count it and once to send it, and never held in memory.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from transports.errors import InvalidRequest

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
MAX_FILE_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A multipart body: its content type, its length in bytes, and a way to read it."""

    content_type: str
    length: int
    pieces: Callable[[], AsyncIterator[bytes]] = field(repr=False)


async def upload_of(
    fields: Sequence[tuple[str, str]],
    file_field: str,
    file_name: str,
    read: Callable[[], AsyncIterator[bytes]],
) -> Upload:
    """The upload of one file with the other fields of its form.

    Raises InvalidRequest for a file name with anything but letters, digits, `.`, `_` and `-`.
    """
    if not file_name or len(file_name) > MAX_FILE_NAME or set(file_name) - _NAME_CHARACTERS:
        raise InvalidRequest("a file name may have letters, digits, '.', '_' and '-' only")
    boundary = secrets.token_hex(16)
    head = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'.encode()
        + value.encode()
        + b"\r\n"
        for name, value in fields
    )
    head += (
        f"--{boundary}\r\nContent-Disposition: form-data; "
        f'name="{_quoted(file_field)}"; filename="{file_name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    size = 0
    async for piece in read():
        size += len(piece)

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        async for piece in read():
            yield piece
        yield tail

    return Upload(f"multipart/form-data; boundary={boundary}", len(head) + size + len(tail), pieces)


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
