"""What is wrong with a cluster, why, what shows of it, and the request that mends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import Field

from app.api.v1.schemas.plans import FindingRead, finding_read
from app.api.v1.schemas.words import CLUSTER, JOB, PEER, TIME, Told
from app.appliance.alarm_catalogue import AlarmKind
from app.checks.diagnosis import Cause, Mend, Symptom
from app.domain.observation import NotObserved
from app.services.diagnosis import Diagnosed, PlanRequest

Request = Callable[[Mend], PlanRequest | None]


class SymptomRead(Told):
    """One sign at one peer."""

    peer_id: str = Field(description="The peer it shows at.", examples=[PEER])
    code: str = Field(description="Which sign.", examples=["cluster-communication"])
    text: str = Field(description="In the appliance's own words where it is an alarm.")
    alarm_number: int | None = Field(description="The alarm's id.", examples=[20004])
    alarm_uuid: str | None = Field(description="The alarm's UUID.")
    expected: str | None = Field(description="Why the running job explains it; null: it does not.")


class PlanRequestRead(Told):
    """A request that makes a plan; sending it changes nothing on any appliance."""

    procedure: str = Field(description="The procedure that mends it.", examples=["restart-peer"])
    title: str = Field(description="Its title.", examples=["Restart a peer"])
    method: str = Field(description="HTTP method.", examples=["POST"])
    path: str = Field(
        description="Path on this service.",
        examples=[f"/v1/clusters/{CLUSTER}/procedures/restart-peer/plan"],
    )
    body: dict[str, Any] = Field(description="JSON body.", examples=[{"peer_id": PEER}])
    when: str = Field(description="Only where this is so; empty: always.", examples=[""])
    needs: list[str] = Field(
        description="Parameters to add to the body first; empty: it is ready.", examples=[[]]
    )


class CauseRead(Told):
    """One cause with all that follows from it."""

    finding: FindingRead = Field(description="What is wrong and what to do.")
    explains: list[SymptomRead] = Field(description="The signs it accounts for.")
    requests: list[PlanRequestRead] = Field(description="What mends it, ready to be sent.")
    expected: str | None = Field(description="Why a running job brings it about; null: none does.")


class NotReadMember(Told):
    """A member that was not read."""

    peer_id: str = Field(description="The member.", examples=[PEER])
    code: str = Field(description="Why.", examples=["peer-unreachable"])
    detail: str = Field(description="In one sentence.", examples=["no connection"])


class DiagnosisRead(Told):
    """What is wrong with a cluster, root causes first."""

    cluster_id: str = Field(description="The cluster.", examples=[CLUSTER])
    observed_at: datetime = Field(description="When it was looked at.", examples=[TIME])
    healthy: bool = Field(description="Nothing is wrong but what a running job brings about.")
    running_job_id: str | None = Field(description="The job at work, if any.", examples=[JOB])
    summary: str = Field(description="The first cause in a sentence.", examples=["All is well."])
    causes: list[CauseRead] = Field(description="In order of cause: mend the first one first.")
    not_observed: list[NotReadMember] = Field(description="Members that could not be read.")


class AlarmKindRead(Told):
    """What the service knows of an alarm."""

    key: str = Field(description="Stable name.", examples=["cluster-communication"])
    numbers: list[int] = Field(description="Its id; several where the text does not tell which.")
    uuid: str | None = Field(description="Its UUID, where on record.")
    title: str = Field(description="How it begins, in the words of later versions.")
    level: str = Field(description="warning, error, alert or critical.", examples=["warning"])
    cause: str = Field(description="What is behind it.")
    action: str = Field(description="What to do.")
    requirements: list[str] = Field(description="The guide's requirements.", examples=[["ALM-16"]])
    verified: bool = Field(description="Whether its id is on record and not an inference.")


class AlarmKindList(Told):
    """Entries of the alarm catalogue."""

    items: list[AlarmKindRead] = Field(description="The best match first.")


def diagnosis_read(found: Diagnosed, request: Request) -> DiagnosisRead:
    """As a reader sees it."""
    diagnosis = found.diagnosis
    return DiagnosisRead(
        cluster_id=found.cluster.id,
        observed_at=found.at,
        healthy=diagnosis.healthy,
        running_job_id=None if diagnosis.running is None else diagnosis.running.id,
        summary=summary(found),
        causes=[cause_read(cause, request) for cause in diagnosis.causes],
        not_observed=[
            NotReadMember(peer_id=view.peer_id, code=view.code, detail=view.detail)
            for view in found.views.values()
            if isinstance(view, NotObserved)
        ],
    )


def summary(found: Diagnosed) -> str:
    """The most important thing in one sentence."""
    if not found.cluster.members:
        return "The cluster has no members yet."
    unexpected = found.diagnosis.unexpected
    if not unexpected:
        return "All is well." if not found.diagnosis.causes else "Only what the running job does."
    more = len(unexpected) - 1
    return unexpected[0].finding.message + (f" And {more} more." if more else "")


def cause_read(cause: Cause, request: Request) -> CauseRead:
    """As a reader sees it."""
    requests = [made for mend in cause.mends if (made := request(mend)) is not None]
    return CauseRead(
        finding=finding_read(cause.finding),
        explains=[symptom_read(sign) for sign in cause.explains],
        requests=[PlanRequestRead.model_validate(made) for made in requests],
        expected=cause.expected or None,
    )


def symptom_read(sign: Symptom) -> SymptomRead:
    """As a reader sees it."""
    return SymptomRead(
        peer_id=sign.peer_id,
        code=sign.key,
        text=sign.text,
        alarm_number=None if sign.alarm is None else sign.alarm.number,
        alarm_uuid=None if sign.alarm is None else sign.alarm.uuid or None,
        expected=sign.expected or None,
    )


def alarm_kind_read(kind: AlarmKind) -> AlarmKindRead:
    """As a reader sees it."""
    return AlarmKindRead(
        key=kind.key,
        numbers=list(kind.numbers),
        uuid=kind.uuid or None,
        title=kind.title,
        level=kind.level.value,
        cause=kind.cause,
        action=kind.action,
        requirements=list(kind.requirements),
        verified=kind.verified,
    )
