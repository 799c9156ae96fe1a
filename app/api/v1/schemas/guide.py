"""The deployment guide as numbered requirements, each with what satisfies it."""

from __future__ import annotations

from pydantic import Field

from app.api.v1.schemas.words import Told
from app.guide import Requirement
from app.guide.coverage import Source


class SourceRead(Told):
    """One thing that satisfies a requirement."""

    kind: str = Field(
        description="step, verify, gate, finding, check, report or document.", examples=["step"]
    )
    where: str = Field(description="Which one.", examples=["add-peer: clustering"])
    test: str = Field(
        description="The test module that runs it.", examples=["tests/matrix/test_matrix.py"]
    )
    why: str = Field(description="Why no code can satisfy it, for documents.", examples=[""])


class RequirementRead(Told):
    """One sentence of the guide in our words."""

    id: str = Field(description="Its id, as cited everywhere.", examples=["ADD-J-22"])
    page: int | None = Field(description="Printed page.", examples=[14])
    section: str = Field(description="Section of the guide.", examples=["Adding a peer"])
    kind: str = Field(description="step, check, verify, value, timing, ...", examples=["verify"])
    text: str = Field(description="What it says.", examples=["Wait for replication."])
    satisfied_by: list[SourceRead] = Field(description="The strongest kind first.")


class RequirementList(Told):
    """Requirements in the guide's order."""

    items: list[RequirementRead] = Field(description="Requirements.")


def requirement_read(requirement: Requirement, sources: tuple[Source, ...]) -> RequirementRead:
    """As a reader sees it."""
    return RequirementRead(
        id=requirement.id,
        page=requirement.page,
        section=requirement.section,
        kind=requirement.kind,
        text=requirement.text,
        satisfied_by=[
            SourceRead(kind=s.kind, where=s.where, test=s.test, why=s.why) for s in sources
        ],
    )
