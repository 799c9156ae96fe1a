"""The XML API of a simulated appliance: getxml, the whole documents, putxml and formputxml.

Shapes are those of the recorded status document and of the documented command exchange (facts 4.1,
5). NOT on record, and therefore ours: how a written configuration is answered, and in which words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from transports.document import Node, Path
from transports.errors import InvalidRequest
from transports.mock import commands
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.status import prune

NAMESPACE = "http://www.tandberg.no/XML/CUIL/1.0"
_STEP = re.compile(r"([A-Za-z_][\w.-]*)(?:\[(?:@item=)?['\"]?(\d{1,6})['\"]?\])?")
_MAX_DEPTH = 40


@dataclass(frozen=True)
class XmlAct:
    """What a request to the XML API asks for: `occasion` names it as the command line would."""

    kind: str
    occasion: str
    path: Path | None = None
    writes: tuple[tuple[tuple[str, ...], str], ...] = ()
    command: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


class NotUnderstood(Exception):
    """The location is no path, or the document is no document; the words are the appliance's."""


def reading(location: str) -> XmlAct:
    """What `getxml?location=` asks for. Raises NotUnderstood."""
    kind, *steps = [step for step in location.strip("/").split("/") if step] or [""]
    if kind not in ("Status", "Configuration"):
        raise NotUnderstood(f"Could not match the path expression: {location[:100]}")
    words: list[str] = []
    for step in steps:
        match = _STEP.fullmatch(step)
        if match is None:
            raise NotUnderstood(f"Could not match the path expression: {location[:100]}")
        words += [word for word in match.groups() if word]
    try:
        path = Path.parse(" ".join(words)) if words else None
    except InvalidRequest:
        raise NotUnderstood(f"Could not match the path expression: {location[:100]}") from None
    return XmlAct(kind, f"x{kind} {' '.join(words)}".strip(), path)


def posting(document: bytes) -> XmlAct:
    """What a posted document asks for. Raises NotUnderstood."""
    try:
        root = ElementTree.fromstring(document, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError):
        raise NotUnderstood("The document is not well-formed") from None
    kind = _name(root)
    if kind == "Configuration":
        writes = tuple(_writes(root, (), 0))
        if not writes:
            raise NotUnderstood("The document is empty")
        return XmlAct(kind, f"xConfiguration {' '.join(writes[0][0])}", writes=writes)
    if kind == "Command" and len(root) == 1:
        command = root[0]
        parameters = tuple((_name(child), child.text or "") for child in command)
        name = _name(command)
        return XmlAct(kind, f"xCommand {name}", command=name, parameters=parameters)
    raise NotUnderstood("The document is neither a Configuration nor a Command")


def answer(device: Expressway, act: XmlAct) -> bytes:
    """Carry it out on the appliance; the document that comes back."""
    if act.kind == "Command":
        return _command(device, act)
    if act.writes:
        return _written(device, act)
    if act.kind == "Status":
        root = device.status()
        if act.path is not None:
            root = prune(root, act.path)
        return document(device, root)
    words = str(act.path).split() if act.path else []
    try:
        return document(device, device.configuration.tree(words))
    except DeviceRefusal as refusal:
        return xpath_error(act.kind, refusal.description)


def refused(act: XmlAct, refusal: DeviceRefusal) -> bytes:
    """The document that declines, in the shape of its kind."""
    if act.kind == "Command":
        return _result(act.command, refusal)
    return _error(act.kind, refusal)


def document(device: Expressway, root: Node) -> bytes:
    """A tree as the appliance's document."""
    head = (
        f'<{root.name} xmlns="{NAMESPACE}" product="TANDBERG VCS" '
        f"version={quoteattr(device.version)}>"
    )
    inner = "".join(_element(child) for child in root.children)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{inner}</{root.name}>\n'.encode()


def xpath_error(kind: str, reason: str) -> bytes:
    """What a path that does not exist is answered with: HTTP 200 and this (facts 5)."""
    return (
        f'<?xml version="1.0"?>\n<{kind}><XPathError item="1">'
        f'<Reason item="1">{escape(reason)}</Reason></XPathError></{kind}>\n'
    ).encode()


def _command(device: Expressway, act: XmlAct) -> bytes:
    try:
        result = commands.run(device, act.command, dict(act.parameters))
    except DeviceRefusal as refusal:
        return _result(act.command, refusal)
    inner = "".join(_element(child) for child in result.children)
    name = act.command
    return (
        f'<?xml version="1.0"?>\n<Command><{name}Result item="1" status="OK">{inner}'
        f"</{name}Result></Command>\n"
    ).encode()


def _result(name: str, refusal: DeviceRefusal) -> bytes:
    return (
        f'<?xml version="1.0"?>\n<Command><{name}Result item="1" status="Error">'
        f'<Cause item="1">{refusal.cause}</Cause>'
        f'<Description item="1">{escape(refusal.description)}</Description>'
        f"</{name}Result></Command>\n"
    ).encode()


def _written(device: Expressway, act: XmlAct) -> bytes:
    try:
        for words, value in act.writes:
            device.write(words, value)
    except DeviceRefusal as refusal:
        return _error(act.kind, refusal)
    return b'<?xml version="1.0"?>\n<Configuration><Success item="1"/></Configuration>\n'


def _error(kind: str, refusal: DeviceRefusal) -> bytes:
    return (
        f'<?xml version="1.0"?>\n<{kind}><Error item="1" status="Error">'
        f'<Cause item="1">{refusal.cause}</Cause>'
        f'<Description item="1">{escape(refusal.description)}</Description></Error></{kind}>\n'
    ).encode()


def _element(node: Node) -> str:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in node.attributes.items())
    inner = escape(node.value or "") + "".join(_element(child) for child in node.children)
    start = f'{node.name} item="{node.index}"{attributes}'
    return f"<{start}>{inner}</{node.name}>" if inner else f"<{start}/>"


def _writes(element: Any, words: tuple[str, ...], depth: int) -> list[tuple[tuple[str, ...], str]]:
    if depth > _MAX_DEPTH:
        raise NotUnderstood("The document is nested too deeply")
    found: list[tuple[tuple[str, ...], str]] = []
    for child in element:
        here = (*words, _name(child), _item(child))
        if len(child):
            found += _writes(child, here, depth + 1)
        else:
            found.append((here, child.text or ""))
    return found


def _item(element: Any) -> str:
    item = str(element.get("item", "1"))
    if not (item.isascii() and item.isdigit()):
        raise NotUnderstood("An item number is no number")
    return item


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
