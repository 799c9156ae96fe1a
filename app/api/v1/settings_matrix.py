"""`/v1/clusters/{id}/settings-matrix`: what is per peer, what is shared, and what is wrong."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.settings_matrix import SettingsMatrixRead, settings_matrix_read
from app.api.v1.schemas.words import ClusterId

router = APIRouter(prefix="/v1/clusters", tags=["clusters"], redirect_slashes=False)


@router.get(
    "/{cluster_id}/settings-matrix",
    operation_id="getSettingsMatrix",
    summary="Compare the members' settings",
    responses=responses("not-found"),
)
async def get(
    cluster_id: ClusterId, _caller: ClustersReader, services: ServicesOf
) -> SettingsMatrixRead:
    """Every setting that peers hold for themselves (guide p.16-17), member by member.

    What must be equal and is not, or must differ and does not, is marked; every shared setting that
    is not the primary's is listed. Reads the members now and changes nothing.
    """
    return settings_matrix_read(await services.settings_matrix.of(cluster_id))
