"""XML replies as documents, without trusting the sender.

The reply comes from a machine that may be broken, half-way through an upgrade or not the appliance
at all. So there is no DTD and no entity, no namespace but the appliance's own, a limit on depth and
on the number of elements, and long replies are parsed in pieces, with the event loop let in between
them (device facts 4.1, 5).
"""

from __future__ import annotations

import asyncio
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from transports.document import Node
from transports.errors import Garbled, ReplyTooLarge

NAMESPACE = "http://www.tandberg.no/XML/CUIL/1.0"
MAX_ELEMENTS = 400_000
"""A recorded status of 94 kB has 2,082 elements; this is almost two hundred times that."""
MAX_INDEX = 1_000_000_000
_PIECE = 64 * 1024


class _NodeTarget:
    """Builds nodes while the parser reads; knows no more than one open path."""

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._open: list[tuple[Node, list[str]]] = []
        self._count = 0
        self.root: Node | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise ReplyTooLarge(f"the reply has more than {MAX_ELEMENTS} elements")
        if len(self._open) >= self._max_depth:
            raise ReplyTooLarge(f"the reply is nested deeper than {self._max_depth} elements")
        kept = dict(attributes)
        node = Node(_local_name(tag), _index(kept.pop("item", None)), attributes=kept)
        if self._open:
            self._open[-1][0].children.append(node)
        else:
            self.root = node
        self._open.append((node, []))

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)

    def end(self, _tag: str) -> None:
        node, pieces = self._open.pop()
        text = "".join(pieces)
        # White space alone is the layout of the document, not a value.
        if text.strip():
            node.value = text if not node.children else text.strip()
        elif not node.children:
            node.value = ""

    def close(self) -> None:
        """Nothing is left open: the parser has seen the end of the root."""


async def parse_document(body: bytes, *, max_depth: int) -> Node:
    """The reply's root element.

    Raises Garbled where the text is no XML, has a DTD or entities, or is of another namespace, and
    ReplyTooLarge where it is nested deeper than `max_depth` or has too many elements.
    """
    target = _NodeTarget(max_depth)
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        for start in range(0, len(body), _PIECE):
            if start:
                await asyncio.sleep(0)
            parser.feed(body[start : start + _PIECE])
        parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        # The parser's own words may quote the reply, so they stay here.
        raise Garbled("the reply is not the well-formed XML of an Expressway") from None
    if target.root is None:
        raise Garbled("the reply has no root element")
    return target.root


def _local_name(tag: str) -> str:
    if not tag.startswith("{"):
        return tag
    namespace, _, name = tag[1:].partition("}")
    if namespace != NAMESPACE:
        raise Garbled("the reply is XML of an unknown namespace")
    return name


def _index(item: str | None) -> int:
    if item is None:
        return 1
    if not (item.isascii() and item.isdigit() and len(item) <= 10 and int(item) <= MAX_INDEX):
        raise Garbled("the reply has an element whose item number is no number")
    return int(item)
