"""Software images for upgrades: files in one folder that the operator fills (ADR 0006).

Nothing but a plain file directly in the folder, under a harmless name, is an image: no path, no
hidden file, no symbolic link leads anywhere else.
"""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.services.records import SoftwareImage

PIECE = 1024 * 1024
"""Bytes read at a time."""
MOST = 200
"""Images listed at most; the first by name."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ImageFolder:
    """Implements `app.procedures.base.SoftwareImages` and `app.services.ports.Images`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def size(self, name: str) -> int | None:
        """Bytes of the image; None where there is none of that name."""
        found = await asyncio.to_thread(_image, self._folder, name)
        return None if found is None else found.size

    async def all(self) -> Sequence[SoftwareImage]:
        """The images by name; none where there is no folder."""
        return await asyncio.to_thread(_images, self._folder)

    async def sizes(self) -> Mapping[str, int]:
        """Name -> bytes of every image."""
        return {image.name: image.size for image in await self.all()}

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The image piece by piece. Raises FileNotFoundError where it is gone."""
        if await asyncio.to_thread(_image, self._folder, name) is None:
            raise FileNotFoundError(name)
        file = await asyncio.to_thread((self._folder / name).open, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            await asyncio.to_thread(file.close)


def _images(folder: Path) -> list[SoftwareImage]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
    found = (_image(folder, name) for name in names)
    return [image for image in found if image is not None][:MOST]


def _image(folder: Path, name: str) -> SoftwareImage | None:
    if _NAME.fullmatch(name) is None:
        return None
    try:
        about = (folder / name).lstat()
    except OSError:
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    return SoftwareImage(name, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))
