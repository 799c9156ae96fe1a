"""The bounded kinds of text that requests are made of, and the models' common ground."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    Strict,
    StringConstraints,
)

LINE = r"^[^\x00-\x1f\x7f]*$"
"""One line: no control characters (PostgreSQL cannot keep a NUL, and logs stay one line)."""
LINES = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
"""Lines and tabs, no other control characters."""
IDENTIFIER = r"^[A-Za-z0-9_-]{1,64}$"
STEP_KEY = r"^[A-Za-z0-9_.:-]{1,200}$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LINE)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=LINES)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=IDENTIFIER)]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _written_out(value: Any) -> Any:
    # A number would be taken for seconds since 1970, and nobody who sends one means that.
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("a time is written as 2026-03-01T09:30:00Z (RFC 3339)")
    if isinstance(value, int | float):
        raise ValueError("a time is text, as in 2026-03-01T09:30:00Z (RFC 3339)")  # noqa: TRY004 - Pydantic reports ValueError
    return value


def _text(value: Any) -> Any:
    # ipaddress would take a number, or false, for an address.
    if not isinstance(value, str):
        raise ValueError("a network is text, as in 192.0.2.0/24")  # noqa: TRY004 - see above
    return value


# What a request says is what it means: "off" is no boolean, true is no number, 0 is no time.
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Network = Annotated[IPvAnyNetwork, BeforeValidator(_text)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]

CLUSTER = "cluster-06f3k2m8q1v5x7z9b2d4f6h8j0"
PEER = "peer-06f3k2m8q1v5x7z9b2d4f6h8j0"
CREDENTIAL = "credential-06f3k2m8q1v5x7z9b2d4f6h8j0"
JOB = "job-06f3k2m8q1v5x7z9b2d4f6h8j0"
PLAN = "plan-06f3k2m8q1v5x7z9b2d4f6h8j0"
TIME = "2026-03-01T09:30:00Z"

ClusterId = Annotated[str, Path(pattern=IDENTIFIER, description="A cluster.", examples=[CLUSTER])]
PeerId = Annotated[str, Path(pattern=IDENTIFIER, description="A peer.", examples=[PEER])]
CredentialId = Annotated[
    str, Path(pattern=IDENTIFIER, description="A credential.", examples=[CREDENTIAL])
]
JobId = Annotated[str, Path(pattern=IDENTIFIER, description="A job.", examples=[JOB])]
PlanId = Annotated[str, Path(pattern=IDENTIFIER, description="A plan.", examples=[PLAN])]


class Asked(BaseModel):
    """A request body: unknown fields are refused, because a misspelt field is a lost wish."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


NextCursor = Annotated[
    str | None, Field(description="Cursor of the next page; null on the last.", examples=[None])
]
