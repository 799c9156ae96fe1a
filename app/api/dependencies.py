"""What handlers ask for in their signatures: services, the caller with a scope, conditions.

The scope is a type, so a handler without one is visibly open to every key, and the OpenAPI
document names the scope of each operation.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import StringConstraints

from app.domain.terms import LABEL_NAME, Label
from app.security.acting import now_acting
from app.security.keys import Principal, Scope
from app.services.bundle import Services
from app.services.conditions import Expected
from app.services.problems import Problem
from app.services.records import Once

_bearer = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="`Authorization: Bearer cwk_...`"
)
_token = HTTPBearer(
    auto_error=False,
    scheme_name="AccessToken",
    bearerFormat="JWT",
    description="A signed access token of an issuer that the operator has named (client "
    "credentials). It is checked as RFC8725 and RFC 9068 ask: algorithm, key, issuer, audience "
    "and times.",
)
_header = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="ApiKeyHeader",
    description="The same key in a header of its own.",
)


def services(request: Request) -> Services:
    """The services of this application."""
    found: Services = request.app.state.services
    return found


def requires(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives the caller, or answers 403."""

    async def caller(
        request: Request,
        _bearer: Annotated[object, Depends(_bearer)],
        _header: Annotated[object, Depends(_header)],
        _token: Annotated[object, Depends(_token)],
    ) -> Principal:
        principal: Principal = request.state.principal
        act = now_acting()
        if act is not None:
            act.action = request.scope["route"].operation_id
            act.objects = {name: str(value) for name, value in request.path_params.items()}
        if not principal.may(scope):
            raise Problem("forbidden", f"the key does not hold {scope.value}", scope=scope.value)
        return principal

    caller.__name__ = f"requires {scope.value}"
    return caller


ServicesOf = Annotated[Services, Depends(services)]
ClustersReader = Annotated[Principal, Depends(requires(Scope.CLUSTERS_READ))]
ClustersWriter = Annotated[Principal, Depends(requires(Scope.CLUSTERS_WRITE))]
JobsReader = Annotated[Principal, Depends(requires(Scope.JOBS_READ))]
JobsRunner = Annotated[Principal, Depends(requires(Scope.JOBS_RUN))]
JobsCanceller = Annotated[Principal, Depends(requires(Scope.JOBS_CANCEL))]
ApprovalsDecider = Annotated[Principal, Depends(requires(Scope.APPROVALS_DECIDE))]
WebhooksWriter = Annotated[Principal, Depends(requires(Scope.WEBHOOKS_WRITE))]
BackupsReader = Annotated[Principal, Depends(requires(Scope.BACKUPS_READ))]
BackupsWriter = Annotated[Principal, Depends(requires(Scope.BACKUPS_WRITE))]
CredentialsWriter = Annotated[Principal, Depends(requires(Scope.CREDENTIALS_WRITE))]
AuditReader = Annotated[Principal, Depends(requires(Scope.AUDIT_READ))]
MetricsReader = Annotated[Principal, Depends(requires(Scope.METRICS_READ))]
Administrator = Annotated[Principal, Depends(requires(Scope.ADMIN))]


_TAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')

IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="Required: the `ETag` that was read, or `*` for whatever is there.",
        examples=['"peer-06f3k2m8q1v5x7z9b2d4f6h8j0.1"'],
    ),
]


def expected(if_match: IfMatchHeader = None) -> Expected:
    """What If-Match asks for. Raises Problem `precondition-required` without one."""
    if if_match is None or not if_match.strip():
        raise Problem("precondition-required", "send the ETag that you read as If-Match")
    if if_match.strip() == "*":
        return Expected(None)
    # A weak tag (`W/"..."`) never matches here: If-Match compares strongly (RFC 9110, 13.1.1).
    parts = [part.strip() for part in if_match.split(",")]
    return Expected(frozenset(part for part in parts if _TAG.fullmatch(part)))


IfMatch = Annotated[Expected, Depends(expected)]

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=130,
        pattern=r"^[\x21-\x7e]{1,130}$",
        description="1 to 130 visible characters, quoted or bare. A repeated request with the same "
        "key and body answers what the first one made; kept for 7 days.",
        examples=["6f1c2f0e-5a3b-4c53-9b62-2f6f1d7f6f0a"],
    ),
]


async def once(request: Request, idempotency_key: KeyHeader = None) -> Once | None:
    """The Idempotency-Key, quoted or bare, with what it stands for."""
    if idempotency_key is None:
        return None
    key = idempotency_key
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    principal: Principal = request.state.principal
    digest = services(request).request_digest
    return Once(
        principal=principal.id,
        method=request.method,
        path=request.url.path,
        key=key,
        payload_digest=digest(_same(await request.body(), request.url.query)),
    )


async def required_once(found: Annotated[Once | None, Depends(once)]) -> Once:
    """The Idempotency-Key where it is required."""
    if found is None:
        raise Problem("idempotency-key-required", "send an Idempotency-Key")
    return found


MaybeOnce = Annotated[Once | None, Depends(once)]
RequiredOnce = Annotated[Once, Depends(required_once)]

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.", examples=[50])]
Cursor = Annotated[
    str | None,
    Query(
        max_length=400,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="`next_cursor` of the page before; opaque.",
        examples=["cGVlci0wNmYzazJtOA"],
    ),
]

LabelFilter = Annotated[
    list[
        Annotated[
            str, StringConstraints(max_length=264, pattern=rf"^{LABEL_NAME}=[^\x00-\x1f\x7f]*$")
        ]
    ],
    Query(
        alias="label",
        max_length=10,
        description="Only clusters with this label now, `name=value`, or what belongs to them;"
        " several: with all of them.",
        examples=[["site=berlin"]],
    ),
]


def to_labels(texts: Sequence[str]) -> list[Label]:
    """What a `LabelFilter` asks for."""
    return [Label(*text.split("=", 1)) for text in texts]


def to_cursor(last_id: str | None) -> str | None:
    """An opaque cursor for the page behind this id."""
    if last_id is None:
        return None
    return base64.urlsafe_b64encode(f"1:{last_id}".encode()).decode().rstrip("=")


def from_cursor(cursor: str | None) -> str | None:
    """The id a cursor stands for. Raises Problem `invalid-cursor`."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    version, _, last_id = text.partition(":")
    if version != "1" or not re.fullmatch(r"[a-z]+-[0-9a-z]{26}", last_id):
        raise Problem("invalid-cursor", "this cursor did not come from here")
    return last_id


def _same(body: bytes, query: str) -> bytes:
    # The same JSON written with other blanks or another order of keys is the same request.
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    return query.encode() + b"\n" + body
