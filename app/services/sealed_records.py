"""What is asked of storage for everything that the vault has sealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Place = tuple[Any, ...]
"""The key of a row among those of its kind."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One batch. `stuck` could not be opened and stay; `after` is where to go on, None: the end."""

    moved: int
    stuck: int
    after: Place | None


class SealedValues(Protocol):
    """All sealed values, by kind."""

    async def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Kind -> id of the key that opens it -> how many."""
        ...

    async def move(
        self,
        kind: str,
        newest: str,
        after: Place | None,
        rewrap: Callable[[bytes, str], bytes],
    ) -> Moved:
        """Rewrap a batch of those that are not under the newest key, behind a place.

        `rewrap` takes the sealed value and what it is bound to. Raises nothing of the values' own.
        """
        ...
