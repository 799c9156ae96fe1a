"""One appliance's configuration: values at known paths, nothing else.

Kept flat, by canonical path, because everything that happens to a configuration - a write, the
replication of the shared part, a reset by level, a backup - picks values by what their item is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from transports.document import Node, Path, Segment
from transports.mock.profile import DeviceProfile
from transports.mock.schema import Item, items


class DeviceRefusal(Exception):
    """The appliance understood and declines; `cause` and `description` are its own words."""

    def __init__(self, description: str, cause: int = 1) -> None:
        super().__init__(description)
        self.cause = cause
        self.description = description


class Schema:
    """The items of one profile, found by path."""

    def __init__(self, profile: DeviceProfile) -> None:
        self.items = items(profile)
        self._ranks: dict[tuple[str, ...], int] = {}
        for item in self.items:
            names = tuple(name for name, _ in item.tokens)
            for length in range(1, len(names) + 1):
                self._ranks.setdefault(names[:length], len(self._ranks))
        self._found: dict[str, tuple[Item, str]] = {}
        self._below: dict[tuple[str, ...], tuple[frozenset[str], tuple[str, ...]] | None] = {}
        self._orders: dict[str, tuple[int, ...]] = {}

    def find(self, words: Sequence[str]) -> tuple[Item, str]:
        """The item that the words name and its canonical path. Raises DeviceRefusal."""
        key = " ".join(words).casefold()
        if key not in self._found:
            for item in self.items:
                indexes = item.match(words, whole=True)
                if indexes is not None:
                    self._found[key] = (item, item.path(i for i in indexes if i is not None))
                    break
            else:
                raise DeviceRefusal(f"No such configuration item: {' '.join(words)}", cause=2)
        return self._found[key]

    def below(self, words: Sequence[str]) -> tuple[frozenset[str], tuple[str, ...]]:
        """The patterns below the words, and the paths that are always there.

        Raises DeviceRefusal where the appliance knows no such path.
        """
        key = tuple(word.casefold() for word in words)
        if key not in self._below:
            patterns: set[str] = set()
            paths: list[str] = []
            for item in self.items:
                given = item.match(words, whole=False)
                if given is not None:
                    patterns.add(item.pattern)
                    paths += [] if item.record else _fixed_paths(item, given)
            self._below[key] = (frozenset(patterns), tuple(paths)) if patterns else None
        found = self._below[key]
        if found is None:
            raise DeviceRefusal(f"No such configuration item: {' '.join(words)}", cause=2)
        return found

    def item_at(self, path: str) -> Item:
        """The item of a canonical path."""
        found = self._found.get(path.casefold())
        return found[0] if found is not None else self.find(path.split())[0]

    def order(self, path: str) -> tuple[int, ...]:
        """Sorts paths as the appliance lists them."""
        if path not in self._orders:
            self._orders[path] = self._order(path)
        return self._orders[path]

    def _order(self, path: str) -> tuple[int, ...]:
        key: list[int] = []
        names: tuple[str, ...] = ()
        for word in path.split():
            if word.isdigit():
                key.append(int(word))
            else:
                names = (*names, word)
                key.append(self._ranks[names])
        return tuple(key)


@lru_cache(maxsize=32)
def schema_of(profile: DeviceProfile) -> Schema:
    """The schema of a profile; made once."""
    return Schema(profile)


class Configuration:
    """The values of one appliance. `get` takes canonical paths; everything else any spelling."""

    def __init__(self, profile: DeviceProfile) -> None:
        self.schema = schema_of(profile)
        self._values: dict[str, str] = {}
        self.writes = 0
        """Goes up with every change, so that what is read out of it need not be read again."""
        self._trees: dict[tuple[str, ...], tuple[int, Node]] = {}

    def get(self, path: str) -> str:
        """The value at a path; its default where nothing was written."""
        value = self._values.get(path)
        if value is not None:
            return value
        item, canonical = self.schema.find(path.split())
        return self._values.get(canonical, item.default)

    def check(self, words: Sequence[str], value: str) -> tuple[Item, str, str]:
        """Item, canonical path and value as kept, without writing. Raises DeviceRefusal."""
        item, path = self.schema.find(words)
        if item.record and not self._has_record(item, path):
            raise DeviceRefusal(f"No such entry: {path}", cause=2)
        kept = item.space.accept(value)
        if kept is None:
            raise DeviceRefusal(f"Value out of range for {path} {item.space}", cause=3)
        return item, path, kept

    def put(self, path: str, value: str) -> None:
        """Keep a value, unchecked: for commands, replication and scenarios."""
        self._values[self.schema.find(path.split())[1]] = value
        self.writes += 1

    def delete(self, prefix: str) -> bool:
        """Delete a record and all values in it; False where there was none."""
        doomed = [p for p in self._values if p == prefix or p.startswith(f"{prefix} ")]
        for path in doomed:
            del self._values[path]
        self.writes += 1
        return bool(doomed)

    def records(self, prefix: str) -> list[int]:
        """The indexes of the records below a prefix such as `Zones Zone`."""
        start = f"{prefix} "
        found = {
            int(path[len(start) :].split(" ", 1)[0])
            for path in self._values
            if path.startswith(start) and path[len(start) : len(start) + 1].isdigit()
        }
        return sorted(found)

    def free_index(self, prefix: str, highest: int) -> int:
        """The first index without a record. Raises DeviceRefusal where all are taken."""
        taken = set(self.records(prefix))
        for index in range(1, highest + 1):
            if index not in taken:
                return index
        raise DeviceRefusal(f"No more {prefix} entries can be added", cause=4)

    def entries(self, words: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Every path and value below the words, in the appliance's order.

        Raises DeviceRefusal where the appliance knows no such path.
        """
        patterns, paths = self.schema.below(words)
        found = {path: self.get(path) for path in paths}
        for path, value in self._values.items():
            item = self.schema.item_at(path)
            if item.record and item.pattern in patterns and _inside(item, path, words):
                found[path] = value
        return sorted(found.items(), key=lambda entry: self.schema.order(entry[0]))

    def tree(self, words: Sequence[str] = ()) -> Node:
        """The same as a tree, below a root named Configuration; to be read, not changed.

        The same one until the configuration changes: a peer that is polled is asked the same
        question again and again.
        """
        key = tuple(words)
        made = self._trees.get(key)
        if made is None or made[0] != self.writes:
            made = self._trees[key] = (self.writes, self._tree(words))
        return made[1]

    def _tree(self, words: Sequence[str]) -> Node:
        root = Node("Configuration")
        branch: list[Node] = [root]
        before: tuple[Segment, ...] = ()
        for path, value in self.entries(words):
            segments = Path.parse(path).segments
            same = _common(segments, before)
            del branch[same + 1 :]
            for segment in segments[same:]:
                branch.append(branch[-1].add(segment.name, index=segment.index or 1))
            branch[-1].value = value
            before = segments
        return root

    def shared(self) -> dict[str, str]:
        """What replication carries."""
        return self._pick(lambda item: item.shared)

    def replace_shared(self, values: Mapping[str, str]) -> bool:
        """Delete the shared configuration and put this in its place; True where it differed."""
        if self.shared() == dict(values):
            return False
        self._drop(lambda item: item.shared)
        self._values.update(values)
        self.writes += 1
        return True

    def reset(self, level: int, also: Sequence[str] = ()) -> None:
        """Back to the factory's values for all items up to a level, and all below `also`."""
        self._drop(lambda item: item.level <= level)
        for prefix in also:
            self.delete(prefix)

    def values(self) -> dict[str, str]:
        """Everything that was ever set, for a backup."""
        return dict(self._values)

    def load(self, values: Mapping[str, str]) -> None:
        """Put back what `values` gave."""
        self._values = dict(values)
        self.writes += 1

    def _pick(self, wanted: Callable[[Item], bool]) -> dict[str, str]:
        item_at = self.schema.item_at
        return {p: v for p, v in self._values.items() if wanted(item_at(p))}

    def _drop(self, doomed: Callable[[Item], bool]) -> None:
        for path in self._pick(doomed):
            del self._values[path]
        self.writes += 1

    def _has_record(self, item: Item, path: str) -> bool:
        words = path.split()
        position = next(i for i, (_, bounds) in enumerate(item.tokens) if bounds)
        record = " ".join(words[: position + 2])
        return any(p.startswith(f"{record} ") for p in self._values)


def _common(one: Sequence[Segment], other: Sequence[Segment]) -> int:
    """How many of the first segments both share; entries come in order, so the rest is new."""
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine is not theirs and mine != theirs:
            return number
    return min(len(one), len(other))


def _fixed_paths(item: Item, given: Sequence[int | None]) -> list[str]:
    """All paths of an item that is always there, within the indexes given."""
    ranges = [range(b[0], b[1] + 1) for _, b in item.tokens if b]
    for position, index in enumerate(given):
        if index is not None:
            ranges[position] = range(index, index + 1)
    return [item.path(indexes) for indexes in itertools.product(*ranges)]


def _inside(item: Item, path: str, words: Sequence[str]) -> bool:
    given = item.match(words, whole=False) or []
    actual = [int(word) for word in path.split() if word.isdigit()]
    return all(g is None or g == a for g, a in zip(given, actual, strict=False))
