"""What a caller says beside a procedure's parameters, and the bodies made for each procedure.

Every procedure gets one concrete plan body and one concrete start body, made from its parameters
dataclass: callers see fields with bounds, examples and words, and never a `oneOf`.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from app.api.v1.schemas.windows import LocalTime, Recurrence, Zone, local
from app.api.v1.schemas.words import (
    LINE,
    Asked,
    Flag,
    Line,
    Moment,
    Number,
    Told,
    Whole,
    Words,
)
from app.domain.terms import MOST_APPROVERS
from app.domain.timing import Timing
from app.procedures.base import Param, Procedure
from app.services.jobs import StartRequest
from app.services.schedules import NewSchedule
from app.services.terms import TermsAsked

_Short = Annotated[str, StringConstraints(max_length=200, pattern=LINE)]
_Element = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=LINE)]


class Change(Asked):
    """The caller's change record: kept, returned, never interpreted."""

    system: _Short = Field(default="", description="Where it lives.", examples=["servicenow"])
    number: _Short = Field(default="", description="Its number.", examples=["CHG0031234"])
    sys_id: _Short = Field(default="", description="Its id there.", examples=["9d385017c611"])
    url: Annotated[str, StringConstraints(max_length=2000, pattern=LINE)] = Field(
        default="", description="Where people read it.", examples=["https://example.com/CHG0031234"]
    )
    window_start: _Short = Field(
        default="", description="Start of its window.", examples=["2026-03-01T22:00:00Z"]
    )
    window_end: _Short = Field(
        default="", description="End of its window.", examples=["2026-03-02T02:00:00Z"]
    )
    requested_by: _Short = Field(default="", description="Who asked.", examples=["A. Requester"])
    approved_by: _Short = Field(default="", description="Who approved.", examples=["B. Approver"])


class Correlation(Asked):
    """The caller's own block: comes back untouched with the job."""

    id: _Short = Field(default="", description="The caller's id.", examples=["9d385017c611"])
    display: _Short = Field(default="", description="The caller's words.", examples=["Flow 12"])
    flow_context_id: _Short = Field(default="", description="Flow context.", examples=["f-1"])
    message: _Short = Field(default="", description="Message a flow waits for.", examples=["done"])


class AttestationCreate(Asked):
    """An operator's word, given with the start."""

    gate: Line = Field(description="Name of the gate.", examples=["firewall-open"])
    by: Line = Field(description="Who states it.", examples=["A. Operator"])
    reason: Words = Field(description="How they know.", examples=["Seen in the firewall's rules."])


class ApprovalsAsked(Asked):
    """Who has to agree before the job begins, where that is more than the cluster's policy."""

    minimum: Whole | None = Field(
        default=None,
        ge=0,
        le=MOST_APPROVERS,
        description="How many people approve it; not fewer than the policy asks for.",
        examples=[2],
    )
    four_eyes: Flag = Field(
        default=False, description="Whoever starts the job does not approve it.", examples=[True]
    )
    expires_at: Moment | None = Field(
        default=None,
        description="A job that is not approved by then ends, and nothing was done.",
        examples=["2026-03-01T22:00:00Z"],
    )


class JobOptions(Asked):
    """What may be said of every job, whoever starts it and however many there are."""

    change: Change | None = Field(default=None, description="The caller's change record.")
    correlation: Correlation | None = Field(default=None, description="The caller's own block.")
    approvals: ApprovalsAsked | None = Field(
        default=None, description="Who has to agree; without it, what the cluster's policy says."
    )
    not_before: Moment | None = Field(
        default=None,
        description="Scheduled start: the job holds its cluster and waits until then.",
        examples=["2026-03-01T22:00:00Z"],
    )

    def terms(self) -> TermsAsked:
        """What is said about people and times."""
        asked = self.approvals or ApprovalsAsked()
        return TermsAsked(
            approvals=asked.minimum,
            four_eyes=asked.four_eyes,
            approve_before=asked.expires_at,
            not_before=self.not_before,
        )


class StartOptions(JobOptions):
    """What every start body has beside the procedure's parameters."""

    plan_digest: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Digest of the plan that was read: do exactly that, or nothing. "
        "Without it the service plans, and starts where nothing blocks.",
        examples=["5f0c3a6d1b7e4c2f9a8d0e6b3c5f7a9d2e4b6c8f0a1d3e5b7c9f2a4d6e8b0c1f"],
    )
    attestations: list[AttestationCreate] = Field(
        default_factory=list, max_length=50, description="What operators state beforehand."
    )


SCHEDULED = {
    "schedule_name": "Nightly backup",
    "time_zone": "Europe/Berlin",
    "start": "2027-01-04T03:00:00",
    "recurrence": "FREQ=DAILY",
}


class ScheduleOptions(Asked):
    """What every schedule body has beside the procedure's parameters."""

    schedule_name: Line = Field(description="What people call it.", examples=["Nightly backup"])
    time_zone: Zone = Field(description="IANA name.", examples=["Europe/Berlin"])
    start: LocalTime = Field(
        description="When it is first due, local time.", examples=["2027-01-04T03:00:00"]
    )
    recurrence: Recurrence = Field(
        default="",
        description="RRULE by days (RFC 5545); empty: once. The time of day is that of `start`.",
        examples=["FREQ=DAILY"],
    )
    grace_seconds: Number = Field(
        default=3600.0,
        ge=60,
        le=86_400,
        description="How late an occurrence may be and still be carried out; later it is skipped.",
        examples=[3600],
    )
    change: Change | None = Field(
        default=None, description="The change record (a standard change) of every job."
    )

    def schedule(self) -> NewSchedule:
        """In the words of the services."""
        return NewSchedule(
            name=self.schedule_name,
            timing=lambda: Timing(self.time_zone, local("start", self.start), self.recurrence),
            grace=self.grace_seconds,
            change=given(self.change),
        )


class ProcedureRead(Told):
    """A procedure of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "slug": "create-cluster",
                    "title": "Create a cluster",
                    "summary": "Sets up a new cluster of one Expressway.",
                    "guide_pages": "9-11",
                    "parameters_schema": {"type": "object", "properties": {}},
                    "plan_path": "/v1/clusters/{cluster_id}/procedures/create-cluster/plan",
                    "start_path": "/v1/clusters/{cluster_id}/procedures/create-cluster",
                    "bulk_path": None,
                }
            ]
        }
    )

    slug: str = Field(description="Its name in paths.")
    title: str = Field(description="Its name for people.")
    summary: str = Field(description="What it does.")
    guide_pages: str = Field(description="Pages of the deployment guide.")
    parameters_schema: dict[str, Any] = Field(description="JSON Schema of the parameters.")
    plan_path: str = Field(description="POST here to plan.")
    start_path: str = Field(description="POST here to start.")
    bulk_path: str | None = Field(
        description="POST here to start it on many clusters; null: it is started on one at a time."
    )


class ProcedureList(Told):
    """The catalogue."""

    items: list[ProcedureRead] = Field(description="By slug.")


@dataclasses.dataclass(frozen=True)
class Bodies:
    """The request bodies of one procedure."""

    procedure: Procedure
    plan: type[BaseModel]
    start: type[BaseModel]
    schedule: type[BaseModel]

    def parameters(self, body: BaseModel) -> Any:
        """The procedure's parameters out of any of the bodies."""
        names = [field.name for field in dataclasses.fields(self.procedure.parameters)]
        return self.procedure.parameters(**{name: getattr(body, name) for name in names})

    @staticmethod
    def request(body: StartOptions, *, queue: bool) -> StartRequest:
        """What a start body says beside the parameters."""
        return StartRequest(
            plan_digest=body.plan_digest,
            attestations=[(given.gate, given.by, given.reason) for given in body.attestations],
            change=given(body.change),
            correlation=given(body.correlation),
            queue=queue,
            terms=body.terms(),
        )


def bodies(procedure: Procedure) -> Bodies:
    """The bodies of a procedure. Raises TypeError where its parameters cannot be described."""
    name = camel(procedure.slug)
    fields = dict(fields_of(procedure))
    taken = set(fields) & ({*StartOptions.model_fields} | {*ScheduleOptions.model_fields})
    if taken:
        raise TypeError(f"{procedure.slug}: parameters {sorted(taken)} are names of start options")
    example = example_of(procedure)

    change = {"system": "servicenow", "number": "CHG0031234"}
    told = procedure.summary
    plan = body(f"{name}Plan", told, fields, example)
    start = body(f"{name}Start", told, fields, {**example, "change": change}, StartOptions)
    schedule = body(f"{name}Schedule", told, fields, {**example, **SCHEDULED}, ScheduleOptions)
    return Bodies(procedure, plan, start, schedule)


def body(
    name: str,
    told: str,
    fields: Mapping[str, Any],
    example: Mapping[str, Any],
    options: type[BaseModel] | None = None,
) -> type[BaseModel]:
    """A request body of these fields beside those of `options`; unknown fields are refused."""
    made: type[BaseModel] = create_model(name, __base__=options, __doc__=told, **fields)
    made.model_config.update(
        ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [dict(example)]})
    )
    made.model_rebuild(force=True)
    return made


def procedure_read(made: Bodies) -> ProcedureRead:
    """The catalogue's entry."""
    procedure = made.procedure
    path = f"/v1/clusters/{{cluster_id}}/procedures/{procedure.slug}"
    return ProcedureRead(
        slug=procedure.slug,
        title=procedure.title,
        summary=procedure.summary,
        guide_pages=procedure.guide_pages,
        parameters_schema=made.plan.model_json_schema(),
        plan_path=f"{path}/plan",
        start_path=path,
        bulk_path=None if procedure.in_bulk is None else bulk_path(procedure),
    )


def bulk_path(procedure: Procedure) -> str:
    """Where it is started on many clusters."""
    return f"/v1/procedures/{procedure.slug}/bulk-jobs"


def camel(slug: str) -> str:
    """`create-cluster` -> `CreateCluster`."""
    return "".join(word.capitalize() for word in slug.split("-"))


def fields_of(procedure: Procedure) -> Mapping[str, Any]:
    """The parameters as fields of a body. Raises TypeError where one cannot be described."""
    hints = get_type_hints(procedure.parameters, include_extras=True)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(procedure.parameters):
        hint = hints[field.name]
        param = _param(procedure, field.name, hint)
        kind = get_args(hint)[0]
        options: dict[str, Any] = {
            "description": param.description,
            "examples": [param.example],
            "min_length": param.min_length,
            "max_length": param.max_length,
            "pattern": param.pattern,
            "ge": param.minimum,
            "le": param.maximum,
        }
        if _is_text(kind):
            options["pattern"] = param.pattern or LINE
            options["max_length"] = param.max_length or 1000
        if field.default is not dataclasses.MISSING:
            options["default"] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            options["default_factory"] = field.default_factory
        given = {
            key: value for key, value in options.items() if value is not None or key == "default"
        }
        found[field.name] = (_bounded(kind), Field(**given))
    return found


def _param(procedure: Procedure, name: str, hint: Any) -> Param:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Param):
            return extra
    raise TypeError(f"{procedure.slug}: parameter {name} has no Param")


def _is_text(kind: Any) -> bool:
    if get_origin(kind) in (Union, types.UnionType):
        return any(_is_text(part) for part in get_args(kind))
    return kind is str


def _bounded(kind: Any) -> Any:
    # Param bounds the length of a list of texts; its texts need bounds of their own.
    if get_origin(kind) is tuple and get_args(kind) == (str, ...):
        return tuple[_Element, ...]
    return _AS_SENT.get(kind, kind)


_AS_SENT = {bool: Flag, int: Whole, float: Number}


def example_of(procedure: Procedure) -> dict[str, Any]:
    """The parameters' examples."""
    hints = get_type_hints(procedure.parameters, include_extras=True)
    return {name: _param(procedure, name, hint).example for name, hint in hints.items()}


def given(block: BaseModel | None) -> dict[str, Any] | None:
    """A block of the caller's as it was sent."""
    return None if block is None else block.model_dump(mode="json", exclude_unset=True)
