"""One step, from its first look to its end (the algorithm: app.procedures.base).

A step meets the world in three calls, look, guard and act; each may fail in the ways of
`transports.errors`, and each kind of failure has one meaning here:

    nothing was sent       try again later, job waiting for the peer, until the step's limit, or
                           where the step insists until the peer is back or a person cancels
    outcome unknown        of a look: as above; of an act: look for `settle` seconds, then act
                           again; after the last attempt an operator is waited for
    garbled                one more look, then failed
    a question declined    one more look, then failed: asking again harms nothing
    not trusted, refused   failed at once; trying again makes it worse or changes nothing
    anything else          our own mistake: failed, `internal-error`, place in the log

Once an act was sent, a step that cannot be looked at has not failed: what the act did is unknown.
Wherever a look would fail it then, the job holds, with its cluster, until an operator settles it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from app.domain.job import JobState, StepFailure, StepRecord, StepState, WaitReason
from app.domain.plan import PlannedStep
from app.engine import failures
from app.engine.errors import EngineError
from app.engine.going import Going
from app.engine.ports import Tools
from app.engine.records import (
    STEP_FINISHED,
    STEP_PROGRESS,
    STEP_STARTED,
    Leave,
    NewEvent,
    Wait,
    failure_data,
)
from app.engine.under_way import UNDER_WAY, UnderWay
from app.procedures.base import Handler, Look, StepContext, StepFailed
from transports.errors import CommandRejected, Garbled, NotSent, OutcomeUnknown, TransportError

log = logging.getLogger(__name__)
T = TypeVar("T")
LONGEST_BACK_OFF = 60.0
"""Appliance seconds between two tries to reach a peer."""


class _AskAgain(Exception):
    """A question was declined for the first time."""

    def __init__(self, declined: CommandRejected) -> None:
        super().__init__(str(declined))
        self.declined = declined


class _Unsettled(Exception):
    """An act was sent, and looking did not settle what it did."""

    def __init__(self, failure: StepFailure) -> None:
        super().__init__(failure.code)
        self.failure = failure


class StepRun:
    """One step in one `advance`."""

    def __init__(self, going: Going, index: int, handler: Handler | None, tools: Tools) -> None:
        self._going = going
        self._index = index
        self._handler = handler
        self._tools = tools
        self._planned: PlannedStep = going.job.plan.steps[index]
        self._record: StepRecord = going.records[index]
        self._announced = self._record.started_at is not None
        self._started: datetime = self._record.started_at or going.clock.now()
        self._record = replace(self._record, started_at=self._started)
        self._shown: tuple[object, ...] = self._face()
        self._look_garbled = False
        self._declined = False
        self._act_garbled: Garbled | None = None
        waited = going.wait
        same = waited is not None and (waited.reason, waited.step) == (
            WaitReason.PEER,
            self._planned.key,
        )
        self._silent_since = waited.since if waited is not None and same else None
        """Since when the peer has not answered, tries to act in between included."""

    async def run(self) -> Leave | None:
        """Carry the step to its end: None, or how to leave the job before that."""
        if self._handler is None:
            return self._failed(failures.unknown_kind(self._planned))
        before = UNDER_WAY.set(UnderWay(self._planned.key, self._going.lease_check))
        try:
            return await self._until_over(self._handler)
        except _Unsettled as unsettled:
            return self._for_an_operator(unsettled.failure)
        except StepFailed as failed:
            return self._failed(failed.failure)
        except TransportError as error:
            if self._record.acted_at is not None:
                return self._for_an_operator(failures.unseen(error, self._planned))
            return self._failed(failures.of_transport(error, self._planned))
        finally:
            UNDER_WAY.reset(before)

    async def _until_over(self, handler: Handler) -> Leave | None:
        while True:
            trouble: TransportError | None = None
            try:
                look = await self._ask(handler.look)
                if look.failure is not None:
                    raise StepFailed(look.failure)
                if look.skipped or look.met:
                    await self._finish(handler, look)
                    return None
                if self._act_garbled is not None:
                    raise self._act_garbled
                self._look_garbled = False
                self._see(look)
                if self._waits_for_people(handler):
                    return self._wait_for_people(handler)
                if not look.under_way and self._may_act(handler):
                    trouble = await self._act(handler)
                    if trouble is None:
                        continue
            except Garbled as error:
                if self._look_garbled:
                    raise
                self._look_garbled = True
                trouble = error
            except _AskAgain as again:
                trouble = again.declined
            except (NotSent, OutcomeUnknown) as error:
                trouble = error
            leave = await self._pause(handler, trouble)
            if leave is not None:
                return leave

    async def _ask(self, question: Callable[[StepContext], Awaitable[T]]) -> T:
        """A look or a guard. What the peer declines for the first time is asked once more."""
        try:
            answer = await self._call(question)
        except CommandRejected as error:
            if self._declined:
                raise
            self._declined = True
            raise _AskAgain(error) from error
        self._declined = False
        return answer

    def _see(self, look: Look) -> None:
        # Until an act is sent, "before" is the present: a restart by hand after a refused act must
        # not pass for the one that is sent next.
        self._record = replace(
            self._record,
            seen=look.seen,
            before=look.seen if self._record.acted_at is None else self._record.before,
            note=look.note,
            progress=self._record.progress if look.progress is None else look.progress,
        )

    def _may_act(self, handler: Handler) -> bool:
        """Whether the effect is certainly not under way, so that acting (again) is right."""
        if handler.act is None or self._record.act_returned:
            return False
        if self._record.acted_at is None:
            return True
        return self._since(self._record.acted_at) >= max(handler.settle, self._planned.poll)

    async def _act(self, handler: Handler) -> TransportError | None:
        """Act once. Gives back why it has to be tried again later, where nothing was sent."""
        earlier = self._record
        if earlier.attempt >= earlier.attempts_allowed:
            raise _Unsettled(self._too_often())
        if handler.guard is not None:
            await self._ask(handler.guard)
        self._record = replace(
            earlier,
            state=StepState.RUNNING,
            attempt=earlier.attempt + 1,
            acted_at=self._going.clock.now(),
            act_returned=False,
        )
        await self._write(STEP_PROGRESS)
        self._going.lease_check()
        try:
            await self._call(_certain(handler.act))
        except NotSent as error:
            state = StepState.PENDING if earlier.acted_at is None else StepState.UNKNOWN
            self._record = replace(earlier, state=state)
            return error
        except OutcomeUnknown as error:
            self._record = replace(self._record, state=StepState.UNKNOWN, note=str(error))
            await self._write(STEP_PROGRESS)
        except Garbled as error:
            self._act_garbled = error
            self._record = replace(self._record, state=StepState.UNKNOWN)
        except TransportError as error:
            # The peer, or who keeps us from it, said no: that is an outcome, and it is known.
            raise StepFailed(failures.of_transport(error, self._planned)) from error
        else:
            self._record = replace(self._record, act_returned=True)
        self._silent_since = None
        return None

    async def _finish(self, handler: Handler, look: Look) -> None:
        if look.skipped:
            state, outcome = StepState.SKIPPED, "condition_not_met"
        elif self._planned.attestation:
            state, outcome = StepState.DONE, "attested"
        elif self._record.acted_at is not None:
            state, outcome = StepState.DONE, "acted"
        else:
            outcome = "observed" if handler.act is None else "already_true"
            state = StepState.DONE
        self._record = replace(
            self._record,
            state=state,
            outcome=outcome,
            seen=look.seen,
            before=self._record.before or look.seen,
            note=look.note,
            progress=1.0,
            finished_at=self._going.clock.now(),
        )
        await self._write(STEP_FINISHED)

    def _failed(self, failure: StepFailure) -> Leave:
        self._record = replace(
            self._record,
            state=StepState.FAILED,
            failure=failure,
            finished_at=self._going.clock.now(),
        )
        return self._leave(
            Leave(JobState.FAILED, failure=failure, flags=self._going.flags), STEP_FINISHED
        )

    def _too_often(self) -> StepFailure:
        return failures.too_often(self._planned, self._record.attempt, self._record.note)

    def _for_an_operator(self, failure: StepFailure) -> Leave:
        """Hold the job where it stands, cluster and all, with what was seen on the table.

        A job that is to stop has nobody to wait for: it ends here and says what is not known.
        """
        if self._going.flags.cancel:
            return self._failed(failure)
        self._record = replace(self._record, state=StepState.UNKNOWN, note=failure.message)
        wait = Wait(WaitReason.HOLD, f"{failure.message} {failure.remedy}", self._planned.key)
        leave = Leave(JobState.WAITING, wait=wait, flags=self._going.flags)
        return self._leave(leave, STEP_PROGRESS)

    def _waits_for_people(self, handler: Handler) -> bool:
        wanted = bool(self._planned.attestation) or bool(handler.waits_for)
        return wanted and self._planned.attestation not in self._going.job.attestations

    def _wait_for_people(self, handler: Handler) -> Leave:
        reason = WaitReason(handler.waits_for or WaitReason.ATTESTATION)
        note = self._planned.statement or self._record.note
        self._record = replace(self._record, state=StepState.WAITING)
        wait = Wait(reason, note, self._planned.key)
        return self._leave(
            Leave(JobState.WAITING, wait=wait, flags=self._going.flags), STEP_PROGRESS
        )

    async def _insisting(
        self, handler: Handler, trouble: TransportError | None
    ) -> StepFailure | None:
        """Why the step waits for a silent peer without end; None: it does not."""
        if handler.insists is None or not isinstance(trouble, NotSent | OutcomeUnknown):
            return None
        return await self._call(handler.insists)

    async def _pause(self, handler: Handler, trouble: TransportError | None) -> Leave | None:
        """Wait until the next look; gives back how to leave where that is not soon."""
        elapsed = self._elapsed()
        limit = max(self._planned.limit, self._going.pacing.least_limit * self._going.clock.pace)
        insisting = await self._insisting(handler, trouble)
        if elapsed >= limit and insisting is not None:
            if self._going.flags.cancel:
                raise StepFailed(insisting)
            limit = math.inf
        if elapsed >= limit:
            acted = self._record.acted_at is not None
            if trouble is not None:
                raise trouble
            if acted and not self._record.act_returned:
                raise _Unsettled(self._too_often())
            raise StepFailed(failures.too_late(self._planned, acted=acted, note=self._record.note))
        if trouble is None:
            self._silent_since = None
        else:
            self._silent_since = self._silent_since or self._going.clock.now()
            said = str(trouble) or type(trouble).__name__
            note = said if insisting is None else f"{insisting.message} ({said})"
            self._record = replace(self._record, note=note)
        if self._record.state is not StepState.UNKNOWN:
            interrupted = self._record.acted_at is not None and not self._record.act_returned
            state = StepState.UNKNOWN if interrupted else StepState.WAITING
            self._record = replace(self._record, state=state)
        going = self._going
        stop = going.stop(self._index)
        if stop is not None:
            return self._leave(stop, STEP_PROGRESS)
        pause = self._planned.poll
        if trouble is not None:
            # A peer that is away for as long as was to be expected is looked for at the usual pace.
            overdue = elapsed - self._planned.expected
            pause = min(LONGEST_BACK_OFF, max(pause, overdue / 4))
        pause = min(max(pause, 0.05), limit - elapsed)
        wait = Wait(WaitReason.PEER, self._record.note, self._planned.key, self._silent_since)
        real = pause / going.clock.pace
        if real > going.pacing.inline:
            leave = Leave(JobState.WAITING, wait=wait, wake_in=real, flags=going.flags)
            return self._leave(leave, STEP_PROGRESS)
        await self._show(wait if trouble is not None else None)
        stop = going.stop(self._index)
        if stop is not None:
            return self._leave(stop, STEP_PROGRESS)
        await going.sleep(pause)
        return None

    async def _show(self, wait: Wait | None) -> None:
        """Write how far the step is, where that is new and not too soon after the last time."""
        going = self._going
        age = asyncio.get_running_loop().time() - going.written_at
        waiting_changed = (wait is None) != (going.wait is None)
        state_changed = self._shown[:1] != self._face()[:1]
        changed = self._face() != self._shown
        if waiting_changed or state_changed or (changed and age >= going.pacing.progress):
            await self._write(STEP_PROGRESS, wait)
        elif age >= going.pacing.flags:
            await going.write(self._index, self._record, (), wait)

    async def _write(self, event: str, wait: Wait | None = None) -> None:
        await self._going.write(self._index, self._record, self._events(event), wait)
        self._announced = True
        self._shown = self._face()

    def _leave(self, leave: Leave, event: str) -> Leave:
        changed = event == STEP_FINISHED or self._face() != self._shown
        started = () if self._announced else (self._event(STEP_STARTED),)
        events = self._events(event) if changed else started
        if leave.state is JobState.CANCELLED or (
            leave.wait is not None
            and leave.wait.reason in (WaitReason.HOLD, WaitReason.WINDOW)
            and self._record.state is not StepState.UNKNOWN
        ):
            self._record = replace(self._record, state=StepState.PENDING, started_at=None)
        self._going.records[self._index] = self._record
        return replace(leave, step=self._record, events=events)

    def _events(self, event: str) -> tuple[NewEvent, ...]:
        if self._announced:
            return (self._event(event),)
        started = self._event(STEP_STARTED)
        return (started, self._event(event)) if event == STEP_FINISHED else (started,)

    def _event(self, kind: str) -> NewEvent:
        record, planned = self._record, self._planned
        data: dict[str, Any] = {
            "step": planned.key,
            "title": planned.title,
            "peer_id": planned.peer_id,
            "state": StepState.RUNNING.value if kind == STEP_STARTED else record.state.value,
            "attempt": record.attempt,
            "note": record.note,
            "progress": record.progress,
        }
        if kind == STEP_FINISHED:
            data |= {"outcome": record.outcome, "failure": failure_data(record.failure)}
        return NewEvent(kind, data)

    def _face(self) -> tuple[object, ...]:
        record = self._record
        return record.state, record.attempt, record.note, record.progress

    def _elapsed(self) -> float:
        """Appliance seconds the limit counts: since the act, the statement, or the start."""
        attestation = self._going.job.attestations.get(self._planned.attestation)
        since = [self._started]
        since += [self._record.acted_at] if self._record.acted_at is not None else []
        since += [attestation.recorded_at] if attestation is not None else []
        return self._since(max(since))

    def _since(self, moment: datetime) -> float:
        going = self._going
        return (going.clock.now() - moment).total_seconds() * going.clock.pace

    async def _call(self, function: Callable[[StepContext], Awaitable[T]]) -> T:
        """Call a handler; what it must not raise becomes an internal error, told to the log."""
        job = self._going.job
        context = StepContext(
            job_id=job.id,
            step=self._planned,
            record=self._record,
            clock=self._going.clock,
            appliances=self._tools.appliances,
            registry=self._tools.registry,
            backups=self._tools.backups,
            attestations=job.attestations,
            records={record.key: record for record in self._going.records},
            images=self._tools.images,
            names=self._tools.names,
        )
        try:
            return await function(context)
        except (TransportError, StepFailed, EngineError):
            raise
        except Exception as error:  # noqa: BLE001 - a handler's mistake must end its step only
            where = failures.place(error)
            log.error(  # noqa: TRY400 - a message could hold a secret
                "job %s, step %s: %s", job.id, self._planned.key, where
            )
            raise StepFailed(failures.internal(self._planned)) from None


def _certain(
    act: Callable[[StepContext], Awaitable[None]] | None,
) -> Callable[[StepContext], Awaitable[None]]:
    if act is None:
        raise RuntimeError("a step without an act was to act")
    return act
