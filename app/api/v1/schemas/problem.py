"""The problem document, for the OpenAPI document only: answers are written by app.api.answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProblemError(BaseModel):
    """One of several things that are wrong."""

    code: str = Field(description="Stable code of the rule or finding.", examples=["missing"])
    detail: str = Field(description="What is wrong, for people.", examples=["Field required"])
    pointer: str | None = Field(
        default=None, description="JSON Pointer into the request body.", examples=["/name"]
    )
    remedy: str | None = Field(default=None, description="What to do.", examples=["Add the field."])
    severity: str | None = Field(default=None, description="Of a finding.", examples=["blocker"])
    peer_id: str | None = Field(default=None, description="The peer it is about.")
    requirements: list[str] = Field(
        default_factory=list,
        description="Ids of the deployment guide's requirements.",
        examples=[["NEW-M-22"]],
    )
    evidence: dict[str, str] = Field(default_factory=dict, description="What was seen.")


class Problem(BaseModel):
    """Every error of the API (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable URI, with a page behind it.", examples=["/problems/x"])
    title: str = Field(description="The kind of problem.", examples=["There is nothing here"])
    status: int = Field(description="The HTTP status.", examples=[404])
    code: str = Field(description="Short stable code.", examples=["not-found"])
    detail: str = Field(description="What happened here.", examples=["there is no such peer"])
    remedy: str | None = Field(default=None, description="What to do.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="Finds the request in the logs.", examples=["req-1"])
    errors: list[ProblemError] = Field(default_factory=list, description="Each thing wrong.")
    cluster_id: str | None = Field(default=None, description="The cluster it is about.")
    job_id: str | None = Field(default=None, description="The job it is about.")
    job_url: str | None = Field(default=None, description="Where to read that job.")
    peer_id: str | None = Field(default=None, description="The peer it is about.")
    plan_id: str | None = Field(default=None, description="The plan it is about.")
