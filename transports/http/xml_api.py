"""The XML API: getxml and whole documents to read, putxml to write and to run.

What the appliance answers to a written configuration is not on record (device facts 5), so every
reply that is no recognised error passes, and the caller reads back.
"""

from __future__ import annotations

import enum
from urllib.parse import quote, urlencode

from transports.base import Endpoint
from transports.command import Command, Setting, command_document, setting_document
from transports.document import Node, Path, Segment
from transports.errors import CommandRejected, Garbled, NotSupported
from transports.http.channel import Channel, Incoming, Request
from transports.http.credential import Credential
from transports.http.options import HttpOptions
from transports.http.verdict import check_status, is_html, wants_login
from transports.http.xml_document import parse_document

_WORDS_KEPT = 500


class Document(enum.Enum):
    """The documents that can be fetched whole: root element and address."""

    STATUS = ("Status", "/status.xml")
    CONFIGURATION = ("Configuration", "/configuration.xml")
    ALTERNATES = ("Configuration", "/alternatesconfiguration.xml")
    """The peer's own view of the cluster; TMS compares it between peers (device facts 5)."""

    @property
    def root(self) -> str:
        """The root element's name."""
        return self.value[0]

    @property
    def address(self) -> str:
        """The path on the web server."""
        return self.value[1]


class XmlApi:
    """Read, write and run through one channel."""

    def __init__(
        self, endpoint: Endpoint, options: HttpOptions, channel: Channel, credential: Credential
    ) -> None:
        self._limits = endpoint.limits
        self._options = options
        self._channel = channel
        self._credential = credential

    async def read(self, document: Document, path: Path) -> Node:
        """The part of the document below the path, under a root that holds its first element."""
        if not path.segments:
            return await self.fetch(document)
        if self._options.whole_documents:
            return _only(await self.fetch(document), path)
        location = quote(f"/{document.root}/{path.xpath()}", safe="/")
        reply = await self._ask(Request("GET", f"/getxml?location={location}", self._limits.reply))
        root = await self._document(reply)
        _refuse_xpath_error(root)
        if root.name.casefold() != document.root.casefold():
            raise Garbled(f"the reply is no {document.root} document")
        return _only(root, path)

    async def fetch(self, document: Document) -> Node:
        """The whole document."""
        reply = await self._ask(Request("GET", document.address, self._limits.reply))
        root = await self._document(reply)
        _refuse_xpath_error(root)
        return root

    async def write(self, setting: Setting) -> None:
        """Post one setting. Raises CommandRejected where the reply is an error."""
        reply = await self._ask(self._put(setting_document((setting,))))
        if reply.strip():
            root = await self._document(reply)
            _refuse_xpath_error(root)
            _refuse_error(root, f"{setting.path} was refused")

    async def run(self, command: Command) -> Node:
        """Run a command; the result element of the reply."""
        root = await self._document(await self._ask(self._put(command_document(command))))
        _refuse_xpath_error(root)
        _refuse_error(root, f"{command.name} was refused")
        for node in (root, *root.children):
            if node.name.casefold() == f"{command.name}Result".casefold():
                return node
        raise Garbled(f"the reply has no result of {command.name}")

    def _put(self, document: str) -> Request:
        if self._options.form_encoded:
            return Request(
                "POST",
                "/formputxml",
                self._limits.reply,
                {"content-type": "application/x-www-form-urlencoded"},
                urlencode({"xmldoc": document}).encode(),
            )
        return Request(
            "POST",
            "/putxml",
            self._limits.reply,
            {"content-type": "text/xml; charset=utf-8"},
            document.encode(),
        )

    async def _ask(self, request: Request) -> bytes:
        async with self._channel.turn, self._credential.given_out() as password:
            signed = Request(
                request.method,
                request.target,
                request.seconds,
                request.headers,
                request.content,
                auth=(self._credential.username, password),
            )
            return await self._channel.send(signed, self._judged)

    async def _judged(self, reply: Incoming) -> bytes:
        if wants_login(reply.status, reply.location):
            raise self._credential.declined()
        check_status(reply.status)
        if reply.status >= 300:
            raise Garbled("the XML API redirects elsewhere")
        body = await reply.body(self._limits.max_reply_bytes)
        if wants_login(reply.status, reply.location, body):
            raise self._credential.declined()
        self._credential.accepted()
        return body

    async def _document(self, body: bytes) -> Node:
        if is_html(body):
            raise Garbled("the XML API answered with a web page")
        return await parse_document(body, max_depth=self._limits.max_depth)


def _refuse_xpath_error(root: Node) -> None:
    for node in (root, *root.children):
        if node.name in ("XPathError", "Fault"):
            reason = _words(node, "Reason")
            raise NotSupported(f"the appliance does not know the path: {reason or 'no reason'}")


def _refuse_error(root: Node, message: str) -> None:
    for node in (root, *root.children):
        failed = node.attributes.get("status", "").casefold() == "error"
        if failed or node.name.casefold() == "error":
            cause, description = _words(node, "Cause"), _words(node, "Description")
            said = description or cause
            raise CommandRejected(
                f"{message}: {said}" if said else message, cause=cause, description=description
            )


def _words(node: Node, name: str) -> str:
    text = (node.get(name) or "")[:_WORDS_KEPT]
    return "".join(character if character.isprintable() else " " for character in text)


def _only(root: Node, path: Path) -> Node:
    """A copy of the tree cut down to the branches that reach the end of the path.

    getxml answers with just these; a whole document, or software that answers with more, is cut
    to the same shape, so that callers see one, and an empty root where there is nothing.
    """
    kept = _branch(root, path.segments)
    return kept or Node(root.name, root.index, None, root.attributes)


def _branch(node: Node, segments: tuple[Segment, ...]) -> Node | None:
    if not segments:
        return node
    wanted, rest = segments[0], segments[1:]
    below = [
        kept
        for child in node.all(wanted.name)
        if wanted.index in (None, child.index) and (kept := _branch(child, rest)) is not None
    ]
    if not below:
        return None
    return Node(node.name, node.index, node.value, node.attributes, below)
