"""How procedures and steps are written.

A **procedure** is data: parameters, and a function from a `Situation` to stages of steps and
findings, in the guide's order. A **step kind** is a `Handler`: how to look whether the step's
effect is there, and (unless it only waits) how to bring it about. Verifying is looking again, so a
step that was interrupted anywhere is resumed by the same look that would have verified it.

The engine runs a step like this, and nothing else touches a peer:

    look -> met?  the effect is already there: done without an act
         -> no    guard (refuse an unsafe act), write down "about to act" and what was seen before,
                  act once, then look again and again until met or the limit is over
    after a crash with "about to act" written down: look for the handler's `settle` time first; only
    when the effect still is not there and acting again is safe, act again
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.appliance.appliance import Appliance
from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.dns import Answer, Lookup, Question
from app.domain.job import Attestation, StepFailure, StepRecord
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.domain.procedure import Draft, Situation


@dataclass(frozen=True, slots=True)
class Look:
    """What a look saw.

    `seen` is JSON evidence without secrets; `note` is one line for people (`3 calls left`);
    `progress` runs from 0 to 1. `failure` says that waiting longer will not help.
    `skipped` marks a step whose condition does not hold (no restart is required). `under_way` says
    that the act has certainly had its effect and only what follows from it is still awaited: it is
    not sent again, even by a worker that does not know whether it was sent.
    """

    met: bool
    seen: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    progress: float | None = None
    skipped: bool = False
    under_way: bool = False
    failure: StepFailure | None = None


class StepFailed(Exception):
    """Raised by a look, guard or act when the step cannot succeed; carries the words to show."""

    def __init__(self, failure: StepFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class BackupStore(Protocol):
    """Where a step puts a backup: encrypted, streamed, tied to job, peer and step."""

    async def taken(self, step_key: str) -> Mapping[str, Any] | None:
        """The receipt (file_name, size, sha256) of the finished backup of that step, or None."""

    async def of_peer(self, peer_id: str) -> bool:
        """Whether this job has a finished backup of that peer."""

    async def receive(
        self,
        step_key: str,
        peer_id: str,
        produce: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[Mapping[str, Any]]],
    ) -> None:
        """Store what `produce` writes; kept only when it returns its receipt without raising."""

    async def find(self, backup_id: str) -> Mapping[str, Any] | None:
        """The receipt and the `peer_id` of a finished backup of any job; None: there is none."""

    async def contents(self, backup_id: str) -> Callable[[], AsyncIterator[bytes]]:
        """What reads that backup piece by piece, from its beginning at each call."""


class Registry(Protocol):
    """What a step may read and record of the service's own resources."""

    async def cluster(self) -> Cluster:
        """The cluster of this job, as registered now."""

    async def peer(self, peer_id: str) -> Peer:
        """A registered peer."""

    async def pre_shared_key(self) -> str:
        """The cluster's pre-shared key from the vault; made at random where there is none yet."""

    async def pre_shared_key_id(self) -> str | None:
        """The credential that holds the cluster's pre-shared key; None where there is none yet."""

    async def renew_pre_shared_key(self, instead_of: str | None) -> None:
        """Make a new key at random, in a credential of its own, the cluster's key from now on.

        Nothing happens where the cluster's key is no longer `instead_of`: it was renewed already.
        The old credential stays in the vault.
        """

    async def record_members(self, members: tuple[str, ...], primary_id: str | None) -> None:
        """Record who is in the cluster, in the order of the peer list."""

    async def record_address(self, peer_id: str, address: str) -> None:
        """Record a peer's new LAN 1 address; its endpoints at the old one lead to the new one.

        Sessions that are open to the peer are closed: the next exchange goes to the new address.
        """


class SoftwareImages(Protocol):
    """The software images that lie ready for upgrades (ADR 0006)."""

    async def size(self, name: str) -> int | None:
        """Bytes of the image; None where there is none of that name."""

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The image piece by piece. Raises FileNotFoundError where it is gone."""


class NoImages:
    """No image lies ready. Implements SoftwareImages."""

    async def size(self, name: str) -> int | None:  # noqa: ARG002 - no name is known
        """None for every name."""
        return None

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """Raises FileNotFoundError."""
        raise FileNotFoundError(name)
        yield b""


class NameLookups(Protocol):
    """Name servers, each asked by itself."""

    async def ask(self, asked: Mapping[str, Sequence[Question]]) -> tuple[Lookup, ...]:
        """One lookup for each server and question, in their order; raises only when cancelled."""


class NoNames:
    """Nobody is asked. Implements NameLookups."""

    async def ask(self, asked: Mapping[str, Sequence[Question]]) -> tuple[Lookup, ...]:
        """See NameLookups."""
        return tuple(
            Lookup(server, question, Answer.NOT_ASKED)
            for server, questions in asked.items()
            for question in questions
        )


@dataclass(frozen=True, slots=True)
class StepContext:
    """All a handler may use. Whatever is not here, a step cannot do."""

    job_id: str
    step: PlannedStep
    record: StepRecord
    clock: Clock
    appliances: Callable[[str], Awaitable[Appliance]]
    registry: Registry
    backups: BackupStore
    attestations: Mapping[str, Attestation]
    """By gate name."""
    records: Mapping[str, StepRecord] = field(default_factory=dict)
    """The records of all steps of this job, by key: what an earlier step saw."""
    images: SoftwareImages = field(default_factory=NoImages)
    names: NameLookups = field(default_factory=NoNames)

    async def appliance(self, peer_id: str | None = None) -> Appliance:
        """The step's peer, or another one, in domain words."""
        wanted = peer_id or self.step.peer_id
        if wanted is None:
            raise LookupError(f"step {self.step.key} names no peer")
        return await self.appliances(wanted)


LookFunction = Callable[[StepContext], Awaitable[Look]]
ActFunction = Callable[[StepContext], Awaitable[None]]
InsistFunction = Callable[[StepContext], Awaitable[StepFailure | None]]


@dataclass(frozen=True, slots=True)
class Handler:
    """How one kind of step is looked at and acted on.

    `act` is None for steps that only wait or verify. `guard` raises StepFailed where the act would
    be unsafe now; it runs directly before every act. `settle` are the appliance seconds to look
    after an interrupted act before concluding that it never happened. `waits_for` names the kind of
    wait for the job's `waiting.reason`, where the step waits for a person.

    `insists` is for steps that must not be given up half-way: where it says a failure, the step
    waits for a peer that does not answer beyond its limit, the failure's message telling why, until
    the peer is back or a person cancels the job; then that is how the step fails.
    """

    kind: str
    look: LookFunction
    act: ActFunction | None = None
    guard: ActFunction | None = None
    settle: float = 0.0
    waits_for: str = ""
    insists: InsistFunction | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """How callers see one parameter of a procedure; put into `Annotated` beside its type."""

    description: str
    example: Any
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Procedure:
    """A kind of change; `parameters` is a frozen dataclass, its fields `Annotated` with Param."""

    slug: str
    title: str
    summary: str
    guide_pages: str
    parameters: type[Any]
    named_peers: Callable[[Any], tuple[str, ...]]
    """The ids of the peers the parameters name; they are observed beside the cluster's members."""
    draft: Callable[[Any, Situation], Draft]
    """Parameters and situation to stages and findings; pure, touches nothing."""
    admits: bool = False
    """Whether it takes a peer into a cluster. Then every registered Expressway is asked whether it
    lists that peer already (NEW-O-01); else only the cluster and its neighbours are observed."""
    in_bulk: tuple[str, ...] | None = None
    """The parameters that mean the same for every cluster, where the procedure is offered for many
    clusters at once; the others keep their defaults then. None: it is not offered so, because it
    needs to be told something of one cluster, or is one decision for each."""
