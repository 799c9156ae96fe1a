"""The folder of software images: plain files directly in it, and nothing else."""

from pathlib import Path

import pytest

from app.storage import images
from app.storage.images import ImageFolder


async def test_only_plain_files_with_harmless_names_are_images(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"not yours")
    (folder / "x8_2.tar.gz").write_bytes(b"image")
    (folder / ".hidden").write_bytes(b"")
    (folder / "a folder").mkdir()
    (folder / "link.tar.gz").symlink_to(tmp_path / "secret")
    found = ImageFolder(folder)
    assert dict(await found.sizes()) == {"x8_2.tar.gz": 5}
    for name in ("../secret", "link.tar.gz", ".hidden", "a folder", "", "x8_2.tar.gz/.."):
        assert await found.size(name) is None
        with pytest.raises(FileNotFoundError):
            [piece async for piece in found.read(name)]


async def test_an_image_is_read_whole_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "PIECE", 4)
    (tmp_path / "x8_2.tar.gz").write_bytes(b"0123456789")
    pieces = [piece async for piece in ImageFolder(tmp_path).read("x8_2.tar.gz")]
    assert pieces == [b"0123", b"4567", b"89"]


async def test_a_folder_that_is_not_there_holds_no_images(tmp_path: Path) -> None:
    assert await ImageFolder(tmp_path / "none").all() == []
