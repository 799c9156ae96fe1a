"""The whole matrix dealt out in parts, so that CI runs one part per commit and in time all of it.

A part is every `PARTS`-th blow of each procedure, each procedure beginning at another place. Which
part is whose turn follows from the number of commits, so `PARTS` commits in a row see every blow;
`make procedures PART=n` runs the same one again.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.faults import Blow

PARTS = 50
VARIABLE = "CLUSTERWAY_MATRIX_PART"


def dealt(title: str, found: Sequence[Blow], part: int) -> list[Blow]:
    """The blows of the procedure with that title that belong to a part, any whole number."""
    begin = (part - zlib.crc32(title.encode())) % PARTS
    return list(found[begin::PARTS])


def part_of_this_commit() -> int:
    """The part whose turn it is: what the environment says, else the number of commits, else 0."""
    asked = os.environ.get(VARIABLE)
    if asked:
        return int(asked) % PARTS
    command = ["git", "rev-list", "--count", "HEAD"]
    try:
        counted = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):  # an archive of the source, or no git
        return 0
    return int(counted.stdout) % PARTS
