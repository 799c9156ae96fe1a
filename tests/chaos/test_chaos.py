"""A short form of `make chaos`: two kills, all connections cut and the database restarted.

How long a takeover takes is `make chaos`'s to judge, on a machine that has time for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import Report, chaos, small_disk

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> Iterator[Path]:
    """A folder that the server's own user can reach."""
    with tempfile.TemporaryDirectory(prefix="cw-chaos-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


async def test_workers_are_killed_and_the_database_restarts_and_nothing_is_lost_or_repeated(
    tmp_path: Path, database: Path
) -> None:
    folder = tmp_path / "peers"
    folder.mkdir()
    report = Report(jobs=24)
    await chaos(report, 2, folder, database, full=False, disk=False)
    assert report.whole, list(report.lines())
    assert len(report.takeovers) == 2
    assert all(jobs > 0 for _, jobs in report.takeovers)
    assert report.cut > 0


def test_a_disk_that_cannot_be_made_is_told_and_never_taken_for_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with small_disk(tmp_path) as mounted:
        assert not mounted
    assert list(Report(jobs=1).lines())[-1].count("disk full: not tried") == 1
