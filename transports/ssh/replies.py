"""The text of a reply, read into the tree that the rest of the program knows.

Three shapes are on record (device facts 1.3): a status as indented blocks, a configuration as one
full path a line, a command's result as one block. Depth is read from indentation of any width. A
status that lost its indentation is read where only one tree is possible, and refused otherwise:
a guessed tree would be worse than none.

Everything here raises `Garbled` or `ReplyTooLarge` on text it cannot read, and nothing else; only
`result` raises CommandRejected, which is what a well-formed error reply says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from transports.document import Node, Path, Segment
from transports.errors import CommandRejected, Garbled, InvalidRequest, ReplyTooLarge

_CONFIGURATION_WORD = "xconfiguration"


def status(lines: Sequence[str], *, max_depth: int = 64) -> Node:
    """The tree of all `*s` blocks below one root; an empty root where there is no block."""
    root = Node("Status")
    grown = _Grown(root, max_depth)
    for block in _blocks(lines, "*s "):
        _grow_block(block, grown)
    return root


def configuration(lines: Sequence[str], *, max_depth: int = 64) -> Node:
    """The tree of all `*c xConfiguration ...` lines below one root."""
    root = Node("Configuration")
    grown = _Grown(root, max_depth)
    for text in lines:
        if not text.startswith("*c "):
            raise Garbled("a configuration holds a line that is no *c line")
        line = _read_line(text[3:], skip=_CONFIGURATION_WORD)
        grown.at(line.path).value = line.value
    return root


def result(lines: Sequence[str], *, max_depth: int = 64) -> Node:
    """The result values of a command as children of one node; empty where it gave none.

    Raises CommandRejected, with the appliance's Cause and Description, where the status is not OK.
    """
    root = Node("Command")
    grown = _Grown(root, max_depth)
    blocks = list(_blocks(lines, "*r "))
    if not blocks:
        return Node("Result")
    if len(blocks) > 1:
        raise Garbled("one command has several results")
    _grow_block(blocks[0], grown)
    node = root.children[0]
    if node.attributes.get("status", "").casefold() != "ok":
        cause, description = node.get("Cause") or "", node.get("Description") or ""
        words = description or (f"cause {cause}" if cause else "no reason given")
        raise CommandRejected(
            f"the appliance declined the command: {words}", cause=cause, description=description
        )
    return node


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a reply: how far it is indented, what it names, what it says."""

    indent: int
    path: Path
    attributes: Mapping[str, str]
    value: str | None


@dataclass
class _Grown:
    """A growing tree that finds elements it already has in one step, however many there are."""

    root: Node
    max_depth: int
    _known: dict[tuple[int, str, int], Node] = field(default_factory=dict)

    def at(self, path: Path) -> Node:
        """The element at the path, made where it is missing."""
        if len(path.segments) > self.max_depth:
            raise ReplyTooLarge(f"the reply is deeper than {self.max_depth} elements")
        node = self.root
        for segment in path.segments:
            key = (id(node), segment.name.casefold(), segment.index or 1)
            child = self._known.get(key)
            if child is None:
                child = self._known[key] = node.add(segment.name, index=segment.index or 1)
            node = child
        return node


def _blocks(lines: Sequence[str], mark: str) -> Iterator[list[str]]:
    block: list[str] = []
    for line in lines:
        if line.startswith(mark):
            if block:
                yield block
            block = [line[len(mark) :]]
        elif not block or line.startswith("*"):
            raise Garbled(f"the reply holds a line outside of its {mark.strip()} blocks")
        else:
            block.append(line)
    if block:
        yield block


def _grow_block(block: list[str], grown: _Grown) -> None:
    head = _read_line(block[0])
    top = grown.at(head.path)
    top.value = head.value
    top.attributes = {**top.attributes, **head.attributes}
    depth = len(head.path.segments)
    rows = [_read_line(text) for text in block[1:]]
    if any(row.value is None for row in rows) and all(row.indent == 0 for row in rows):
        rows = _with_indents(rows)
    open_elements: list[tuple[int, Node, int]] = [(-1, top, depth)]
    for row in rows:
        while open_elements[-1][0] >= row.indent:
            open_elements.pop()
        _, parent, above = open_elements[-1]
        for segment in row.path.segments:
            above += 1
            if above > grown.max_depth:
                raise ReplyTooLarge(f"the reply is deeper than {grown.max_depth} elements")
            parent = parent.add(segment.name, index=segment.index or 1)
        parent.value = row.value
        parent.attributes = row.attributes
        open_elements.append((row.indent, parent, above))


def _with_indents(rows: Sequence[_Line]) -> list[_Line]:
    """Depth for rows that have none: possible where containers come first and values follow."""
    containers = 0
    while containers < len(rows) and rows[containers].value is None:
        containers += 1
    if any(row.value is None for row in rows[containers:]):
        raise Garbled("the reply has lost its indentation and can be read in more than one way")
    return [
        _Line(min(place, containers), row.path, row.attributes, row.value)
        for place, row in enumerate(rows)
    ]


def _read_line(text: str, *, skip: str = "") -> _Line:
    """Read `  Name 1 (key=value): "text"`. `skip` is a first word that must be there."""
    bare = text.lstrip()
    head, attributes, said = _split(bare)
    words = head.split()
    if skip:
        if not words or words[0].casefold() != skip:
            raise Garbled(f"a configuration line does not start with {skip}")
        words = words[1:]
    try:
        path = Path(_segments(words))
    except (InvalidRequest, ValueError):  # ValueError: an index of thousands of digits
        raise Garbled("a line of the reply names no element") from None
    return _Line(len(text) - len(bare), path, attributes, _value(said))


def _segments(words: Sequence[str]) -> tuple[Segment, ...]:
    if any(len(word) > 128 for word in words):
        raise ValueError
    return Path.parse(" ".join(words)).segments


def _split(text: str) -> tuple[str, Mapping[str, str], str]:
    """Head, attributes and value of a line; the first colon outside the parentheses divides."""
    colon, bracket = text.find(":"), text.find("(")
    if bracket == -1 or colon < bracket:
        if colon == -1:
            raise Garbled("a line of the reply has no value")
        return text[:colon], {}, text[colon + 1 :]
    closing = text.find(")", bracket)
    colon = text.find(":", closing) if closing != -1 else -1
    if colon == -1 or text[closing + 1 : colon].strip():
        raise Garbled("a line of the reply has attributes that do not end")
    pairs = (pair.partition("=") for pair in text[bracket + 1 : closing].split(","))
    attributes = {key.strip(): value.strip() for key, _, value in pairs if key.strip()}
    return text[:bracket], attributes, text[colon + 1 :]


def _value(said: str) -> str | None:
    """The value as the appliance means it: unquoted; None for an element without own value."""
    said = said.strip()
    if said in {"", "/"}:
        return None
    if not said.startswith('"'):
        return said
    if len(said) < 2 or not said.endswith('"'):
        raise Garbled("a quoted value does not end")
    return said[1:-1]
