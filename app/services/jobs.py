"""Jobs: starting exactly what was read, watching it, and what people may do to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from app.domain.clock import Clock
from app.domain.cluster import Cluster
from app.domain.forecast import stretches
from app.domain.job import Attestation, Event
from app.domain.plan import Plan, PlannedStep
from app.domain.terms import Label, Terms
from app.engine.memory import read_cursor
from app.engine.ports import JobDesk
from app.engine.records import OVER, JobFilter, JobRecord, NewJob, Page
from app.engine.transitions import legal_actions
from app.observability.spans import now_traced, traced
from app.security.keys import Principal
from app.services.conditions import remember, replay
from app.services.drift import differences
from app.services.engine_answers import answered
from app.services.plan_document import to_json
from app.services.planning import Drafted, PlanningService
from app.services.ports import Backups, EventFeed, NewId, Store, Transaction
from app.services.problems import Item, Problem, invalid, not_found
from app.services.records import Backup, Once, Outcome, RegisteredCluster, StoredPlan
from app.services.terms import TermsAsked, agreed
from app.services.together import Together
from app.services.windows import calendar_of

log = structlog.get_logger(__name__)

__all__ = [
    "JobFilter",
    "JobRecord",
    "JobsService",
    "Page",
    "Preview",
    "StartRequest",
    "legal_actions",
]


Also = Callable[[Transaction, JobRecord], Awaitable[None]]
"""Written with a job, in the transaction that makes it."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a caller says beside the procedure's parameters when it starts a job."""

    plan_digest: str | None = None
    attestations: Sequence[tuple[str, str, str]] = ()
    """(gate, by, reason) of each."""
    change: Mapping[str, Any] | None = None
    correlation: Mapping[str, Any] | None = None
    queue: bool = False
    terms: TermsAsked = field(default_factory=TermsAsked)
    rerun_of: str = ""
    """The job that this one runs again."""
    bulk_job_id: str = ""
    """The bulk job that this one is part of."""

    @property
    def change_number(self) -> str:
        """The number of the caller's change record; empty without one."""
        return str((self.change or {}).get("number", ""))


@dataclass(frozen=True, slots=True)
class Preview:
    """What a cancel would lead to now.

    `stops_after` is the step behind which the job would stop, None: at once. `still_run` are the
    steps until there. `undone` are the steps that would never run.
    """

    job: JobRecord
    stops_after: PlannedStep | None
    still_run: tuple[PlannedStep, ...]
    undone: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True)
class JobsService:
    """What callers may do with jobs."""

    store: Store
    planning: PlanningService
    backups: Backups
    feed: EventFeed
    clock: Clock
    new_id: NewId
    approval_lifetime: timedelta
    together: Together = field(default_factory=Together)

    @traced("start a job")
    async def start(
        self,
        cluster_id: str,
        slug: str,
        parameters: Any,
        request: StartRequest,
        *,
        by: Principal,
        once: Once | None,
        also: Also | None = None,
    ) -> Outcome[JobRecord]:
        """Start a job: of the plan with that digest, or of one made now.

        `also` writes more in the transaction that makes the job; where it raises there is no job.
        Raises Problem `plan-mismatch`, `plan-expired`, `plan-drifted`, `plan-blocked`,
        `cluster-busy`, `peer-busy`, `change-required`. The appliances are observed again in any
        case, with no transaction open.
        """
        self.planning.procedure(slug)
        async with self.store.transaction() as tx:
            found = await self._replayed(tx, once)
            if found is not None:
                return found
            promised = await self._promised(tx, cluster_id, slug, parameters, request)
        drafted = await self.planning.draft(cluster_id, slug, parameters, by.id)
        if promised is not None and drafted.plan.digest != promised.plan.digest:
            raise Problem(
                "plan-drifted",
                "the cluster is not as it was when the plan was made; read a new plan",
                errors=differences(promised, drafted),
                cluster_id=cluster_id,
                plan_id=promised.plan.id,
            )
        _refuse_blocked(drafted, cluster_id)
        plan = drafted.plan if promised is None else promised.plan
        attestations = self._attestations(plan, request, by)
        traced_by = now_traced()
        async with self.store.transaction() as tx:
            found = await self._replayed(tx, once)
            if found is not None:
                return found
            # Locked before anything refers to it, so that it cannot be deleted until the job is.
            registered = await tx.clusters.get(cluster_id, lock=True)
            if registered is None:
                raise not_found("cluster", cluster_id)
            if plan.fingerprint.get(cluster_id) != registered.cluster.membership:
                raise Problem(
                    "plan-drifted",
                    "the members of the cluster changed while the peers were observed",
                    cluster_id=cluster_id,
                )
            terms = await self._terms(tx, registered, request)
            _refuse_without_window(terms, plan, self.clock.now())
            if promised is None:
                await tx.plans.add(drafted.stored)
            job = NewJob(
                id=self.new_id("job"),
                plan=plan,
                requested_by=by.id,
                details={**_details(request), **traced_by},
                attestations=attestations,
                views=_seen(drafted, plan, registered.cluster),
                terms=terms,
            )
            with answered():
                record = await tx.jobs.create(job, queue=request.queue)
            await remember(tx, once, job.id, self.clock.now())
            if also is not None:
                await also(tx, record)
        log.info("job created", job_id=record.id, procedure=slug)
        return Outcome(record)

    async def get(self, job_id: str) -> JobRecord:
        """A job. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            with answered():
                return await tx.jobs.load(job_id)

    async def wait(self, job_id: str, seconds: float) -> JobRecord:
        """The job as soon as it changes its state, ends, the seconds are over, or we must end."""
        job = await self.get(job_id)
        if seconds <= 0 or job.state.ended:
            return job
        first = (job.state, job.wait)
        deadline = self._seconds() + seconds
        async with self.feed.watch(job_id) as news:
            while True:
                job = await self.get(job_id)
                left = deadline - self._seconds()
                changed = job.state.ended or (job.state, job.wait) != first
                if changed or left <= 0 or self.feed.closing:
                    return job
                await news(left)

    async def page(
        self, wanted: JobFilter, cursor: str | None, limit: int, labels: Sequence[Label] = ()
    ) -> Page:
        """Some jobs, newest first. Raises Problem `invalid-cursor`.

        `labels`: only jobs of clusters that have all of them now, also of deleted clusters.
        """
        async with self.store.transaction() as tx:
            if labels:
                wanted = replace(wanted, clusters=await tx.clusters.labelled(labels))
            try:
                # What a made-up cursor stands for may hold a NUL, which no database text can.
                if cursor is not None and not read_cursor(cursor).isprintable():
                    raise ValueError
                return await tx.jobs.list_jobs(wanted, cursor=cursor, limit=limit)
            except ValueError:
                raise Problem("invalid-cursor", "this cursor did not come from here") from None

    async def events(self, job_id: str, after: int, limit: int) -> tuple[Event, ...]:
        """Events behind a number, in order. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            with answered():
                return await tx.jobs.events(job_id, after=after, limit=limit)

    async def follow(
        self, job_id: str, after: int, heartbeat: float
    ) -> AsyncIterator[Event | None]:
        """Events as they come; None whenever nothing came for `heartbeat` seconds.

        Ends behind the last event of a job that has ended, and where the process is about to end.
        """
        async with self.feed.watch(job_id) as news:
            while True:
                quiet_since = self._seconds()
                events = await self.together.ask(
                    ("events", job_id, after), partial(self.events, job_id, after, 500)
                )
                for event in events:
                    after = event.seq
                    yield event
                if not events:
                    job = await self.together.ask(("job", job_id), partial(self.get, job_id))
                    if job.state.ended and job.last_event_seq <= after:
                        return
                    if self.feed.closing:
                        return
                    await news(heartbeat)
                    if self._seconds() - quiet_since >= heartbeat:
                        yield None

    async def cancel(self, job_id: str, reason: str, by: Principal, once: Once | None) -> JobRecord:
        """Stop at the next safe point. Raises Problem `illegal-transition`."""
        return await self.changed(
            job_id, once, lambda desk: desk.request_cancel(job_id, by=by.id, reason=reason)
        )

    async def preview_cancel(self, job_id: str) -> Preview:
        """Where a cancel would stop the job now, and what would stay undone."""
        job = await self.get(job_id)
        steps = job.plan.steps
        current = next((i for i, s in enumerate(job.steps) if s.state not in OVER), len(steps))
        if job.safe_point or job.state.ended:
            return Preview(job, None, (), steps[current:])
        end = current
        while end < len(steps) and not steps[end].safe_after:
            end += 1
        last = min(end, len(steps) - 1)
        return Preview(job, steps[last], steps[current : last + 1], steps[last + 1 :])

    async def retry(self, job_id: str, by: Principal, once: Once | None) -> JobRecord:
        """Go on from the failed step. Raises Problem `illegal-transition`, `cluster-busy`."""
        return await self.changed(job_id, once, lambda desk: desk.retry(job_id, by=by.id))

    async def attest(
        self,
        job_id: str,
        step_key: str,
        *,
        said_by: str,
        reason: str,
        by: Principal,
        once: Once | None,
    ) -> JobRecord:
        """Record an operator's word for a gate step. Raises Problem `illegal-transition`."""
        job = await self.get(job_id)
        step = next((step for step in job.plan.steps if step.key == step_key), None)
        if step is None:
            raise Problem("not-found", "the job has no step of this key", job_id=job_id)
        if not step.attestation:
            raise Problem(
                "illegal-transition",
                "this step waits for nobody's word",
                job_id=job_id,
                step=step_key,
            )
        attestation = Attestation(
            gate=step.attestation,
            by=said_by,
            reason=reason,
            recorded_for=by.id,
            recorded_at=self.clock.now(),
        )
        return await self.changed(job_id, once, lambda desk: desk.attest(job_id, attestation))

    async def backups_of(self, job_id: str) -> Sequence[Backup]:
        """The finished backups of a job. Raises Problem `not-found`."""
        await self.get(job_id)
        return await self.backups.of_job(job_id)

    async def backup(self, job_id: str, backup_id: str) -> tuple[Backup, AsyncIterator[bytes]]:
        """A backup and its plain bytes, piece by piece. Raises Problem `not-found`."""
        for backup in await self.backups_of(job_id):
            if backup.id == backup_id:
                return backup, self.backups.read(backup_id)
        raise not_found("backup", backup_id)

    @traced("change a job")
    async def changed(
        self, job_id: str, once: Once | None, act: Callable[[JobDesk], Awaitable[JobRecord]]
    ) -> JobRecord:
        """The job as `act` left it, in one transaction with the key of the request."""
        async with self.store.transaction() as tx:
            found = await self._replayed(tx, once)
            if found is not None:
                return found.value
            with answered():
                record = await act(tx.jobs)
            await remember(tx, once, job_id, self.clock.now())
            return record

    async def _replayed(self, tx: Transaction, once: Once | None) -> Outcome[JobRecord] | None:
        with answered():
            return await replay(tx, once, self.clock.now(), tx.jobs.load)

    async def _promised(
        self,
        tx: Transaction,
        cluster_id: str,
        slug: str,
        parameters: Any,
        request: StartRequest,
    ) -> StoredPlan | None:
        registered = await tx.clusters.get(cluster_id)
        if registered is None:
            raise not_found("cluster", cluster_id)
        await self._terms(tx, registered, request)
        if request.plan_digest is None:
            return None
        promised = await tx.plans.latest(cluster_id, slug, request.plan_digest)
        if promised is None:
            raise Problem(
                "plan-mismatch",
                "no plan of this procedure and cluster has this digest",
                errors=(
                    Item(code="plan-unknown", detail="unknown digest", pointer="/plan_digest"),
                ),
                cluster_id=cluster_id,
            )
        wanted = to_json(parameters)
        differing = [
            Item(
                code="parameter-differs",
                detail="the plan was made with another value",
                pointer=f"/{name}",
            )
            for name in sorted({*wanted, *promised.plan.parameters})
            if wanted.get(name) != promised.plan.parameters.get(name)
        ]
        if differing:
            raise Problem(
                "plan-mismatch",
                "the body says something else than the plan",
                errors=differing,
                plan_id=promised.plan.id,
            )
        if self.clock.now() >= promised.plan.expires_at:
            raise Problem(
                "plan-expired", "the plan is too old; read a new one", plan_id=promised.plan.id
            )
        return promised

    async def _terms(
        self, tx: Transaction, registered: RegisteredCluster, request: StartRequest
    ) -> Terms:
        terms = agreed(
            registered.policy,
            request.terms,
            request.change_number,
            self.clock.now(),
            self.approval_lifetime,
        )
        now = self.clock.now()
        calendar = await calendar_of(tx, registered.policy, request.change, now)
        return replace(terms, calendar=calendar, pace=self.clock.pace)

    def _attestations(
        self, plan: Plan, request: StartRequest, by: Principal
    ) -> tuple[Attestation, ...]:
        gates = {step.attestation for step in plan.steps if step.attestation}
        made: list[Attestation] = []
        for number, (gate, said_by, reason) in enumerate(request.attestations):
            if gate not in gates:
                known = ", ".join(sorted(gates)) or "none"
                raise invalid(
                    f"/attestations/{number}/gate", f"the plan has no such gate; its gates: {known}"
                )
            made.append(Attestation(gate, said_by, reason, by.id, self.clock.now()))
        return tuple(made)

    def _seconds(self) -> float:
        return self.clock.monotonic() / self.clock.pace


def _refuse_blocked(drafted: Drafted, cluster_id: str) -> None:
    blockers = drafted.plan.blockers
    if blockers:
        raise Problem(
            "plan-blocked",
            f"{len(blockers)} finding(s) forbid starting; nothing was changed",
            errors=[Item.of(finding) for finding in blockers],
            cluster_id=cluster_id,
        )


def _seen(drafted: Drafted, plan: Plan, cluster: Cluster) -> dict[str, Any]:
    """What the members and the plan's peers said of themselves just now, as JSON."""
    wanted = {peer.id for peer in cluster.members} | {step.peer_id for step in plan.steps}
    return {peer: to_json(view) for peer, view in drafted.views.items() if peer in wanted}


def _refuse_without_window(terms: Terms, plan: Plan, now: datetime) -> None:
    """Raises Problem `window-never-opens` where the job could never begin."""
    needed = (stretches(plan.steps) or (0.0,))[0] / terms.pace
    if terms.calendar.room(max(now, terms.not_before or now), needed) is None:
        raise Problem(
            "window-never-opens",
            f"no window stays open for the {needed:.0f} seconds the job needs to its first stop",
            cluster_id=plan.cluster_id,
        )


def _details(request: StartRequest) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if request.change:
        details["change"] = dict(request.change)
    if request.correlation:
        details["correlation"] = dict(request.correlation)
    if request.rerun_of:
        details["rerun_of"] = request.rerun_of
    if request.bulk_job_id:
        details["bulk_job_id"] = request.bulk_job_id
    return details
