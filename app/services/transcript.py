"""The transcript: what a job and the peers said to each other, redacted, entry by entry.

`Recorded` stands around a transport as the service lends it, so neither procedures nor transports
know of it. Each exchange is two entries, `sent` and `received`; what an exchange is called is said
in the transport's own words (transports.wording). The bytes of backups and software images are not
in it, nor is a log-in.

The guarantee, and its price: an act (a write, a command, an operation that changes something) is on
record before it is sent, and with it all that was said before. Replies and looks are written in the
background, many at a time. So a crash loses at most what was said since the last act, while the act
itself stands there without its reply. Where the database does not take an entry within `PATIENCE`
seconds the act goes ahead: a transcript never holds a job up for longer.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from app.appliance.trouble import trouble_with
from app.domain.clock import Clock
from app.engine.under_way import UNDER_WAY
from app.security.redaction import Redactor
from app.services.plan_document import to_json
from transports import wording
from transports.base import Capability, Operation, Transport, UsesRoot
from transports.command import Command, Setting
from transports.document import Node, Path
from transports.errors import TransportError

R = TypeVar("R")

LONGEST_TEXT = 16 * 1024
"""Characters of one entry; what is longer is cut, and its mark tells the length of the whole."""
PATIENCE = 1.0
"""Seconds that an act waits for its entry to be on record."""
SENT = "sent"
RECEIVED = "received"
SAME = "[the same reply as before: {digest}]"
CUT = "\n[cut here: {size} characters in all]"
INTERRUPTED = "interrupted"
NOT_SENT = "not-sent"
_REMEMBERED = 256
"""For how many different requests the last reply is remembered, so that it is not kept twice."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One direction of one exchange.

    `digest` is the SHA-256 of the whole redacted text, `size` its characters; `text` may be cut, or
    stand for an earlier reply of the same digest. `duration_ms` and `outcome` belong to `received`:
    `ok`, the code of what went wrong, such as `peer-unreachable`, `interrupted`, or `not-sent`.
    """

    job_id: str
    notebook: str
    number: int
    """From 1 in its notebook; the row's own `seq` is given where it is stored."""
    at: datetime
    peer_id: str
    step: str
    transport: str
    exchange: int
    direction: str
    text: str
    digest: str
    size: int
    outcome: str = ""
    duration_ms: float | None = None


class TranscriptSink(Protocol):
    """Where entries go."""

    def put(self, entry: Entry) -> int:
        """Take an entry without waiting; a ticket for `settled`."""
        ...

    async def settled(self, ticket: int, seconds: float) -> bool:
        """Whether that entry and all before it are on record, after so many seconds at most."""
        ...


@dataclass
class Notebook:
    """The entries of one job while one worker carries it."""

    job_id: str
    sink: TranscriptSink
    redactor: Redactor
    clock: Clock
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    _number: int = 0
    _exchange: int = 0
    _ticket: int = 0
    _replies: dict[tuple[str, str], str] = field(default_factory=dict)

    def begin(self, peer_id: str, transport: str, words: str) -> Exchange:
        """Note what is about to be said to a peer."""
        self._exchange += 1
        made = Exchange(self, peer_id, transport, self._exchange, self.redactor.text(words))
        self.note(made, SENT, made.words)
        return made

    def note(
        self,
        exchange: Exchange,
        direction: str,
        text: str,
        *,
        outcome: str = "",
        duration_ms: float | None = None,
    ) -> None:
        """Put down one direction of an exchange; the text is redacted already."""
        text = text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
        digest = hashlib.sha256(text.encode()).hexdigest()
        shown = text
        if len(text) > LONGEST_TEXT:
            shown = text[:LONGEST_TEXT] + CUT.format(size=len(text))
        if direction == RECEIVED and len(text) > 2 * len(SAME) + len(digest):
            asked = (exchange.peer_id, exchange.words)
            if self._replies.get(asked) == digest:
                shown = SAME.format(digest=digest)
            elif len(self._replies) >= _REMEMBERED and asked not in self._replies:
                del self._replies[next(iter(self._replies))]
            self._replies[asked] = digest
        self._number += 1
        self._ticket = self.sink.put(
            Entry(
                job_id=self.job_id,
                notebook=self.name,
                number=self._number,
                at=self.clock.now(),
                peer_id=exchange.peer_id,
                step=UNDER_WAY.get().step,
                transport=exchange.transport,
                exchange=exchange.number,
                direction=direction,
                text=shown,
                digest=digest,
                size=len(text),
                outcome=outcome,
                duration_ms=duration_ms,
            )
        )

    async def settled(self, seconds: float = PATIENCE) -> bool:
        """Whether everything noted so far is on record."""
        return await self.sink.settled(self._ticket, seconds)


@dataclass
class Exchange:
    """One exchange under way."""

    notebook: Notebook
    peer_id: str
    transport: str
    number: int
    words: str
    _begun: float = field(default_factory=time.monotonic)

    def ended(self, text: str, outcome: str = "ok") -> None:
        """Note the reply, or why there is none."""
        spent = round((time.monotonic() - self._begun) * 1000, 3)
        text = self.notebook.redactor.text(text)
        self.notebook.note(self, RECEIVED, text, outcome=outcome, duration_ms=spent)


class Recorded:
    """A transport whose exchanges are written down in a notebook. Implements Transport."""

    def __init__(self, inner: Transport, peer_id: str, notebook: Notebook) -> None:
        self._inner = inner
        self._peer_id = peer_id
        self._notebook = notebook
        self._as_root = inner.as_root if isinstance(inner, UsesRoot) else frozenset[Capability]()

    @property
    def name(self) -> str:
        """See Transport."""
        return self._inner.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """See Transport."""
        return self._inner.capabilities

    @property
    def as_root(self) -> frozenset[Capability]:
        """See UsesRoot."""
        return self._as_root

    async def read_status(self, path: Path) -> Node:
        """See Transport."""
        words = wording.read_words(self.name, "Status", path)
        return await self._exchange(words, lambda: self._inner.read_status(path), act=False)

    async def read_configuration(self, path: Path) -> Node:
        """See Transport."""
        words = wording.read_words(self.name, "Configuration", path)
        return await self._exchange(words, lambda: self._inner.read_configuration(path), act=False)

    async def write(self, settings: Sequence[Setting]) -> None:
        """See Transport."""
        words = wording.write_words(self.name, settings)
        await self._exchange(words, lambda: self._inner.write(settings), act=True)

    async def run(self, command: Command) -> Node:
        """See Transport."""
        words = wording.command_words(self.name, command)
        return await self._exchange(words, lambda: self._inner.run(command), act=True)

    async def perform(self, operation: Operation[R]) -> R:
        """See Transport."""
        for secret in wording.secrets_of(operation):
            self._notebook.redactor.learn(secret)
        words = wording.operation_words(operation)
        act = not wording.is_look(operation)
        return await self._exchange(words, lambda: self._inner.perform(operation), act=act)

    async def close(self) -> None:
        """See Transport."""
        await self._inner.close()

    async def _exchange(self, words: str, call: Callable[[], Awaitable[R]], *, act: bool) -> R:
        exchange = self._notebook.begin(self._peer_id, self.name, words)
        if act:
            await self._still_ours(exchange)
        try:
            reply = await call()
        except TransportError as error:
            exchange.ended(f"{type(error).__name__}: {error}", trouble_with(error).code)
            raise
        except BaseException as error:
            exchange.ended(type(error).__name__, INTERRUPTED)
            raise
        exchange.ended(self._shown(reply))
        return reply

    async def _still_ours(self, exchange: Exchange) -> None:
        """Wait for the entry of an act; raises EngineError where the lease went meanwhile.

        The wait may have been long, or the process frozen in it.
        """
        try:
            await self._notebook.settled()
            UNDER_WAY.get().lease_check()
        except BaseException as error:
            exchange.ended(type(error).__name__, NOT_SENT)
            raise

    def _shown(self, reply: object) -> str:
        if reply is None:
            return ""
        if isinstance(reply, Node):
            return wording.reply_words(reply)
        tree = self._notebook.redactor.tree(to_json(reply))
        return json.dumps(tree, ensure_ascii=False, sort_keys=True)


def stored(entry: Entry) -> Mapping[str, Any]:
    """What is kept of an entry, and hashed with its `seq`: everything a reader is shown."""
    return {
        "job_id": entry.job_id,
        "at": entry.at.isoformat(),
        "peer_id": entry.peer_id,
        "step": entry.step,
        "transport": entry.transport,
        "exchange": f"{entry.notebook}:{entry.exchange}",
        "direction": entry.direction,
        "text": entry.text,
        "digest": entry.digest,
        "size": entry.size,
        "outcome": entry.outcome,
        "duration_ms": entry.duration_ms,
    }
