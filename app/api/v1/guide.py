"""`/v1/guide/requirements`: what the guide demands, and what in this service satisfies it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.dependencies import ClustersReader
from app.api.problems import responses
from app.api.v1.schemas.guide import RequirementList, requirement_read
from app.guide import requirements
from app.guide.coverage import recorded

router = APIRouter(prefix="/v1/guide", tags=["guide"], redirect_slashes=False)


@router.get(
    "/requirements",
    operation_id="listGuideRequirements",
    summary="List the guide's requirements",
    responses=responses(),
)
async def list_all(
    _caller: ClustersReader,
    chapter: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Z]{3}$",
            description="Only ids that begin like this: INT, PRE, UPG, NEW, ADD, PSI, RML, RMD, "
            "DIS, CHM, CIP, REP, ALM, NET, LYN, SRV or NAP.",
            examples=["ADD"],
        ),
    ] = None,
    satisfied_by: Annotated[
        str | None,
        Query(
            max_length=20,
            pattern=r"^(step|verify|gate|finding|check|report|document)$",
            description="Only requirements whose strongest satisfaction is of this kind.",
            examples=["gate"],
        ),
    ] = None,
) -> RequirementList:
    """The deployment guide as numbered requirements, each with what satisfies it.

    In our words and in the guide's order; satisfied by steps, checks, gates, findings, documents.
    """
    coverage = recorded()
    return RequirementList(
        items=[
            requirement_read(requirement, coverage[name])
            for name, requirement in requirements().items()
            if (chapter is None or name.startswith(f"{chapter}-"))
            and (satisfied_by is None or coverage[name][0].kind == satisfied_by)
        ]
    )
