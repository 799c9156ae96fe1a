"""XML replies as documents, without trusting the sender.

The reply comes from a machine that may be broken, half-way through an upgrade or not the appliance
at all. So there is no DTD and no entity, no namespace but the appliance's own, a limit on depth and
on the number of elements, and long replies are parsed in pieces, with the event loop let in between
them (device facts 4.1, 5).
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
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
    """Builds nodes while the parser reads; knows no more than one open path.

    Its methods are called by expat itself, which writes `namespace}name` and hands over attributes
    as one list of names and values.
    """

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._open: list[Node] = []
        self._pieces: list[list[str]] = []
        self._count = 0
        self.root: Node | None = None

    def start(self, tag: str, attributes: list[str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise ReplyTooLarge(f"the reply has more than {MAX_ELEMENTS} elements")
        if len(self._open) >= self._max_depth:
            raise ReplyTooLarge(f"the reply is nested deeper than {self._max_depth} elements")
        kept: dict[str, str] = {}
        item = None
        for at in range(0, len(attributes), 2):
            if attributes[at] == "item":
                item = attributes[at + 1]
            else:
                kept[attributes[at]] = attributes[at + 1]
        node = Node(_local_name(tag), _index(item), None, kept, [])
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._pieces.append([])

    def data(self, text: str) -> None:
        if self._pieces:
            self._pieces[-1].append(text)

    def end(self, _tag: str) -> None:
        node, text = self._open.pop(), "".join(self._pieces.pop())
        # White space alone is the layout of the document, not a value.
        if text and not text.isspace():
            node.value = text if not node.children else text.strip()
        elif not node.children:
            node.value = ""

    def close(self) -> None:
        """Nothing is left open: the parser has seen the end of the root."""


def _parser(target: _NodeTarget) -> DefusedXMLParser:
    """A parser with defusedxml's refusals, whose elements go straight to the target.

    The class between them, written in Python, makes a dictionary of every element's attributes and
    a new string of every name, which is a fifth of the time.
    """
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    expat = parser.parser
    expat.StartElementHandler = target.start
    expat.EndElementHandler = target.end
    expat.CharacterDataHandler = target.data
    return parser


async def parse_document(body: bytes, *, max_depth: int) -> Node:
    """The reply's root element.

    Raises Garbled where the text is no XML, has a DTD or entities, or is of another namespace, and
    ReplyTooLarge where it is nested deeper than `max_depth` or has too many elements.
    """
    target = _NodeTarget(max_depth)
    parser = _parser(target)
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


@lru_cache(maxsize=4096)
def _local_name(tag: str) -> str:
    namespace, found, name = tag.partition("}")
    if not found:
        return tag
    if namespace != NAMESPACE:
        raise Garbled("the reply is XML of an unknown namespace")
    return name


@lru_cache(maxsize=4096)
def _index(item: str | None) -> int:
    if item is None:
        return 1
    if not (item.isascii() and item.isdigit() and len(item) <= 10 and int(item) <= MAX_INDEX):
        raise Garbled("the reply has an element whose item number is no number")
    return int(item)
