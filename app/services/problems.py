"""What a use case answers when it cannot do what was asked.

A problem has a stable code; the API's registry (app.api.problems) gives the code its HTTP status,
title and page. The words here never repeat what the caller sent, because it may hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.finding import Finding


@dataclass(frozen=True, slots=True)
class Item:
    """One of several things that are wrong. `pointer` is a JSON Pointer into the request body."""

    code: str
    detail: str
    pointer: str | None = None
    remedy: str | None = None
    requirements: tuple[str, ...] = ()
    severity: str | None = None
    peer_id: str | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, finding: Finding) -> Item:
        """A finding as an error item, with its requirement ids and remedy."""
        return cls(
            code=finding.code,
            detail=finding.message,
            pointer=finding.pointer,
            remedy=finding.remedy,
            requirements=finding.requirements,
            severity=finding.severity.value,
            peer_id=finding.peer_id,
            evidence=dict(finding.evidence),
        )


class Problem(Exception):
    """Asked for something that cannot be done, with a code from the registry of problems.

    `about` names what it is about (`cluster_id`, `job_id`, `peer_id`, ...): strings and numbers
    that become members of the problem document.
    """

    def __init__(
        self, code: str, detail: str, *, errors: Sequence[Item] = (), **about: Any
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.about = about


def not_found(kind: str, identifier: str) -> Problem:
    """There is no such resource; the same answer whether it never was or is deleted."""
    about: dict[str, Any] = {f"{kind}_id": identifier}
    return Problem("not-found", f"there is no {kind} with this id", **about)


def invalid(pointer: str, detail: str, *, code: str = "invalid-value", remedy: str = "") -> Problem:
    """One field of the request cannot be accepted."""
    item = Item(code=code, detail=detail, pointer=pointer, remedy=remedy or None)
    return Problem("invalid-request", "the request was understood and not accepted", errors=(item,))
