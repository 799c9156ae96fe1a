"""`/v1/audit`: who did what to what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field

from app.api import links
from app.api.dependencies import AuditReader, Cursor, Limit, ServicesOf, from_cursor, to_cursor
from app.api.problems import responses
from app.api.v1.schemas.words import CLUSTER, IDENTIFIER, TIME, Moment, NextCursor, Told
from app.security.trail import Written
from app.services.audit_records import Sought
from app.services.problems import Problem

router = APIRouter(prefix="/v1/audit", tags=["audit"], redirect_slashes=False)

_WIDTH = 26
"""Digits of a row's number in a cursor, which has the form of an id."""


class AuditRow(Told):
    """One deed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "seq": 4711,
                    "at": TIME,
                    "actor": "key-06f3k2m8q1v5x7z9b2d4f6h8j0",
                    "actor_name": "ServiceNow production",
                    "address": "192.0.2.7",
                    "request_id": "req-7d0c2f8a41c94f5a",
                    "action": "createCluster",
                    "outcome": "done",
                    "objects": {"cluster_id": CLUSTER},
                    "details": {},
                    "hash": "9f2c41d07be3a8659f2c41d07be3a8659f2c41d07be3a8659f2c41d07be3a865",
                }
            ]
        }
    )

    seq: int = Field(description="Its number, from 1 without gaps.")
    at: datetime = Field(description="When, by the database's clock.")
    actor: str = Field(description="Id of the key; empty: the service itself or its command line.")
    actor_name: str = Field(description="The key's name at that time.")
    address: str = Field(description="The address the request came from.")
    request_id: str = Field(description="Finds the request in the logs.")
    action: str = Field(description="The operationId, or what the service did by itself.")
    outcome: str = Field(description="`done`, `denied` (may not) or `failed` (was refused).")
    objects: dict[str, str] = Field(description="Ids of what it was about.")
    details: dict[str, Any] = Field(description="More, such as the status of the answer.")
    hash: str = Field(description="Its link of the chain, which `clusterway audit verify` checks.")


class AuditList(Told):
    """A page of deeds."""

    items: list[AuditRow] = Field(description="Newest first.")
    next_cursor: NextCursor = None


@router.get(
    "",
    operation_id="listAudit",
    summary="Read the audit trail",
    responses=responses("invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: AuditReader,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
    actor: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only deeds of this key.")
    ] = None,
    action: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only this operationId.")
    ] = None,
    outcome: Annotated[
        str | None, Query(pattern="^(done|denied|failed)$", description="Only these ends.")
    ] = None,
    object_id: Annotated[
        str | None, Query(pattern=IDENTIFIER, description="Only deeds about this id.")
    ] = None,
    since: Annotated[Moment | None, Query(description="Not before this time.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
) -> AuditList:
    """Every change, every refusal and every use of a secret, newest first.

    A key that is limited to clusters finds its own deeds and those about its clusters.
    """
    sought = Sought(actor, action, outcome, object_id, since, until)
    place = from_cursor(cursor)
    before = None if place is None else _number(place)
    page = await services.audit.page(sought, before, limit)
    following = to_cursor(f"audit-{int(page.next):0{_WIDTH}d}" if page.next else None)
    links.announce_next(request, response, following)
    return AuditList(items=[_read(row) for row in page.items], next_cursor=following)


def _number(place: str) -> int:
    digits = place.partition("-")[2]
    if not digits.isdigit() or int(digits) >= 2**63:
        raise Problem("invalid-cursor", "this cursor did not come from here")
    return int(digits)


def _read(row: Written) -> AuditRow:
    deed = row.deed
    return AuditRow(
        seq=row.seq,
        at=row.at,
        actor=deed.actor,
        actor_name=deed.actor_name,
        address=deed.address,
        request_id=deed.request_id,
        action=deed.action,
        outcome=deed.outcome,
        objects=dict(deed.objects),
        details=dict(deed.details),
        hash=row.hash,
    )
