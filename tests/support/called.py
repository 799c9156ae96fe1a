"""Which functions of the service run: inside a block, or while a test module is run by itself.

As a pytest plugin (`-p tests.support.called`) it watches the whole run, imports included, and
writes the dotted names into the file that `WRITE_TO` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

WRITE_TO = "CLUSTERWAY_TEST_CALLED"
ROOT = Path(__file__).parents[2]


@contextmanager
def watched() -> Iterator[set[str]]:
    """Every function of the service that runs meanwhile, by its dotted name."""
    called: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("app."):
                called.add(f"{module}.{frame.f_code.co_qualname.partition('.')[0]}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(before)


@cache
def called_by(test: str, folder: Path) -> frozenset[str]:
    """What a test module calls when it runs by itself; it must pass."""
    names = folder / "called.txt"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", __name__, test]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, WRITE_TO: str(names)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return frozenset(names.read_text(encoding="utf-8").split())


if WRITE_TO in os.environ:
    _watching = watched()
    _called = _watching.__enter__()

    def pytest_unconfigure() -> None:
        """The run is over."""
        _watching.__exit__(None, None, None)
        Path(os.environ[WRITE_TO]).write_text("\n".join(sorted(_called)), encoding="utf-8")
