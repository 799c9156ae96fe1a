"""`/v1/clusters/{id}/diagnosis`: what is wrong and what mends it; `/v1/alarms`: the catalogue."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.diagnosis import (
    AlarmKindList,
    DiagnosisRead,
    alarm_kind_read,
    diagnosis_read,
)
from app.api.v1.schemas.words import LINE, ClusterId
from app.appliance.alarm_catalogue import CATALOGUE, search

router = APIRouter(prefix="/v1", tags=["diagnosis"], redirect_slashes=False)


@router.get(
    "/clusters/{cluster_id}/diagnosis",
    operation_id="diagnoseCluster",
    summary="Say what is wrong with a cluster",
    responses=responses("not-found"),
)
async def diagnose(
    cluster_id: ClusterId, _caller: ClustersReader, services: ServicesOf
) -> DiagnosisRead:
    """Observes all members now and names the causes behind their alarms, root causes first.

    Each cause lists the signs it accounts for, what to do, and requests that plan the procedure
    that mends it. What a running job brings about is marked as expected. Changes nothing.
    """
    found = await services.diagnosis.diagnose(cluster_id)
    return diagnosis_read(found, partial(services.diagnosis.request, cluster_id))


@router.get(
    "/alarms",
    operation_id="findAlarms",
    summary="Look up an alarm",
    responses=responses(),
)
async def alarms(
    _caller: ClustersReader,
    find: Annotated[
        str | None,
        Query(
            max_length=500,
            pattern=LINE,
            description="An alarm's id, its UUID, or its text as an appliance or the guide has it; "
            "without it, all entries.",
            examples=["20004"],
        ),
    ] = None,
) -> AlarmKindList:
    """What an alarm means and what to do about it, in the words of any software version."""
    kinds = CATALOGUE if find is None else search(find)
    return AlarmKindList(items=[alarm_kind_read(kind) for kind in kinds])
