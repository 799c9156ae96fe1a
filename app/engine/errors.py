"""What the engine refuses, in a form that callers can answer from.

EngineError
|-- NoSuchJob            no job of that id
|-- NoSuchGate           the job's plan has no gate of that name
|-- DecisionRefused      what an approver says does not count; `code` says why
|-- SkipRefused          the step may not be set aside; `reason` says why
|-- IllegalTransition    the job's state does not allow it; `legal` lists what it does allow
|-- Held                 somebody else's job stands in the way
|   |-- ClusterBusy        a job holds the cluster
|   `-- PeerBusy           a job of another cluster holds one of the peers
|-- LeaseLost            this worker no longer owns the job: stop, write nothing, touch nothing
`-- JournalDown          the journal did not answer: what was last written is not known
"""

from __future__ import annotations


class EngineError(Exception):
    """Something the engine refuses."""


class NoSuchJob(EngineError):
    """No job of that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id}")
        self.job_id = job_id


class NoSuchGate(EngineError):
    """The job's plan has no gate of that name."""

    def __init__(self, job_id: str, gate: str, gates: tuple[str, ...]) -> None:
        known = ", ".join(gates) or "none"
        super().__init__(f"job {job_id} has no gate {gate!r} (its gates: {known})")
        self.job_id = job_id
        self.gate = gate
        self.gates = gates


class IllegalTransition(EngineError):
    """The job's state does not allow what was asked; `legal` lists what it does allow."""

    def __init__(self, job_id: str, state: str, wanted: str, legal: tuple[str, ...]) -> None:
        allowed = ", ".join(legal) or "nothing"
        super().__init__(f"job {job_id} is {state}: {wanted} is not possible (possible: {allowed})")
        self.job_id = job_id
        self.state = state
        self.wanted = wanted
        self.legal = legal


class DecisionRefused(EngineError):
    """What an approver says does not count. `code` is a problem code of the API."""

    def __init__(self, job_id: str, code: str, message: str) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.code = code


class SkipRefused(EngineError):
    """The step may not be set aside (app.domain.skipping)."""

    def __init__(self, job_id: str, step: str, reason: str) -> None:
        super().__init__(f"step {step} cannot be skipped: {reason}")
        self.job_id = job_id
        self.step = step
        self.reason = reason


class Held(EngineError):
    """Another job stands in the way; `job_id` names it."""

    def __init__(self, message: str, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class ClusterBusy(Held):
    """A job holds the cluster."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} is at work on this cluster", job_id)


class PeerBusy(Held):
    """A job of another cluster holds one of the peers."""

    def __init__(self, peer_id: str, job_id: str) -> None:
        super().__init__(f"job {job_id} is at work on peer {peer_id}", job_id)
        self.peer_id = peer_id


class LeaseLost(EngineError):
    """Another worker owns the job by now, or nobody: stop at once."""


class JournalDown(EngineError):
    """The journal did not answer; whether the last write arrived is not known."""
