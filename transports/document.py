"""The tree that xStatus, xConfiguration and the XML API all speak.

An appliance names every fact by a path of element names, some with an index: on the CLI
`Alternates Peer 1 Address`, in XML `<Alternates item="1"><Peer item="1"><Address item="1">`
(device facts 1.2, 1.3, 4.1). A transport parses its own notation into a `Node`; everything above
reads facts by `Path` and never sees text or XML.

Element names compare without regard to case, because tools in the field write them in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from transports.errors import InvalidRequest

_ELEMENT = re.compile(r"(?=[A-Za-z0-9_.-]*[A-Za-z_])[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""An element name: at least one letter, and nothing that means something on a command line."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One word of a path: an element name and, where the element repeats, its index (from 1).

    Raises InvalidRequest on anything else, so no path can carry markup or a second line.
    """

    name: str
    index: int | None = None

    def __post_init__(self) -> None:
        name = self.name
        if not _ELEMENT.fullmatch(name):
            raise InvalidRequest(f"{name!r} is no element name")
        if self.index is not None and self.index < 0:
            raise InvalidRequest(f"{name} {self.index}: an index is a whole number")

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name} {self.index}"


@lru_cache(maxsize=4096)
def _segment(name: str, index: int | None) -> Segment:
    """A segment that was checked before; whole documents name the same few hundred elements."""
    return Segment(name, index)


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a document, such as `Alternates Peer 1 Address`. Without segments: all of it."""

    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path as the CLI writes it: names and optional indexes separated by blanks.

        Raises InvalidRequest where an index comes first or a word is no element name.
        """
        return _parse(text)

    def __str__(self) -> str:
        return " ".join(str(segment) for segment in self.segments)

    def xpath(self) -> str:
        """The same place as the XML API's `location` writes it, without the leading root name."""
        return "/".join(
            s.name if s.index is None else f"{s.name}[@item='{s.index}']" for s in self.segments
        )


WHOLE = Path(())
"""All of a document, in one exchange: the dump that real tools take (device facts 1.5, 5)."""


@lru_cache(maxsize=4096)
def _parse(text: str) -> Path:
    segments: list[Segment] = []
    for word in text.split():
        if word.isascii() and word.isdigit():
            if not segments or segments[-1].index is not None:
                raise InvalidRequest(f"path {text!r}: index {word} follows no element name")
            segments[-1] = _segment(segments[-1].name, int(word))
        else:
            segments.append(_segment(word, None))
    if not segments:
        raise InvalidRequest("a path needs at least one element name")
    return Path(tuple(segments))


@dataclass(slots=True)
class Node:
    """One element: its name, index, value and children, in the order the appliance gave them."""

    name: str
    index: int = 1
    value: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def add(self, name: str, value: str | None = None, *, index: int = 1) -> Node:
        """Append a child and return it."""
        child = Node(name, index, value)
        self.children.append(child)
        return child

    def child(self, name: str, index: int = 1) -> Node | None:
        """The child of that name and index, or None."""
        wanted = name.casefold()
        for node in self.children:
            if node.index == index and node.name.casefold() == wanted:
                return node
        return None

    def all(self, name: str) -> list[Node]:
        """All children of that name, in order."""
        wanted = name.casefold()
        return [node for node in self.children if node.name.casefold() == wanted]

    def find(self, path: Path | str) -> Node | None:
        """The element at the path below this one; a missing index means 1."""
        node: Node | None = self
        for segment in _segments(path):
            if node is None:
                return None
            node = node.child(segment.name, segment.index or 1)
        return node

    def get(self, path: Path | str) -> str | None:
        """The value at the path; "" for an empty element, None where the element is missing."""
        node = self.find(path)
        return None if node is None else (node.value or "")

    def leaves(self, prefix: Sequence[Segment] = ()) -> Iterator[tuple[Path, str]]:
        """Every element without children below this one, with its full path and value.

        An index is written only where it says something: above 1, or where siblings share the name.
        """
        counts: dict[str, int] = {}
        for node in self.children:
            counts[node.name] = counts.get(node.name, 0) + 1
        for node in self.children:
            repeated = node.index != 1 or counts[node.name] > 1
            here = (*prefix, _segment(node.name, node.index if repeated else None))
            if node.children:
                yield from node.leaves(here)
            else:
                yield Path(here), node.value or ""

    def ensure(self, path: Path | str) -> Node:
        """The element at the path, made (with its parents) where it is missing."""
        node = self
        for segment in _segments(path):
            index = segment.index or 1
            node = node.child(segment.name, index) or node.add(segment.name, index=index)
        return node


def _segments(path: Path | str) -> tuple[Segment, ...]:
    return (path if isinstance(path, Path) else Path.parse(path)).segments
