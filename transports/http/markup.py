"""HTML as a flat run of tags and text, read once from front to back.

The standard library's HTML parser needs quadratic time on some broken pages in the Python versions
we support, and a page here comes from a machine that may be broken. This scanner looks at every
character a bounded number of times, accepts anything, and forgets what it does not understand.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_PIECES = 200_000
MAX_ATTRIBUTES = 64
_NAME = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s=>"'/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']*+)))?|["'=])"""
)
_OPAQUE = frozenset({"script", "style"})


@dataclass(frozen=True, slots=True)
class Tag:
    """A start tag, or an end tag where `closing`; names in lower case, values decoded."""

    name: str
    closing: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Text:
    """Text between two tags, decoded, with runs of white space made one blank; never empty."""

    words: str


def scan(page: str) -> Iterator[Tag | Text]:
    """The tags and texts of a page in order; at most MAX_PIECES of them."""
    for count, piece in enumerate(_scan(page)):
        if count >= MAX_PIECES:
            return
        yield piece


def _scan(page: str) -> Iterator[Tag | Text]:
    folded = page.casefold() if len(page.casefold()) == len(page) else page
    position = 0
    while position < len(page):
        opening = page.find("<", position)
        yield from _text(page[position : opening if opening >= 0 else len(page)])
        if opening < 0:
            return
        name = _NAME.match(page, opening)
        if name is None:
            position = _behind_what_is_no_tag(page, opening)
            continue
        attributes, position = _attributes(page, name.end())
        tag = Tag(name[2].lower(), bool(name[1]), attributes)
        yield tag
        if tag.name in _OPAQUE and not tag.closing:
            end = folded.find(f"</{tag.name}", position)
            position = end if end >= 0 else len(page)


def _behind_what_is_no_tag(page: str, opening: int) -> int:
    if page.startswith("<!--", opening):
        end = page.find("-->", opening + 4)
        return end + 3 if end >= 0 else len(page)
    if page.startswith(("<!", "<?"), opening):
        end = page.find(">", opening)
        return end + 1 if end >= 0 else len(page)
    return opening + 1


def _attributes(page: str, position: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while True:
        match = _ATTRIBUTE.match(page, position)
        if match is None:
            return found, len(page)
        position = match.end()
        if match[1]:
            return found, position
        if match[2] and len(found) < MAX_ATTRIBUTES:
            value = next((group for group in match.group(3, 4, 5) if group is not None), "")
            found.setdefault(match[2].lower(), _decoded(value))


def _text(raw: str) -> Iterator[Text]:
    words = " ".join(_decoded(raw).split())
    if words:
        yield Text(words)


def _decoded(raw: str) -> str:
    try:
        return html.unescape(raw)
    except ValueError:  # a character number of thousands of digits
        return raw
