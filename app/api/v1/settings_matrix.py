"""`/v1/clusters/{id}/settings-matrix`: what is per peer, what is shared, and what is wrong."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.settings_page import settings_page
from app.api.v1.schemas.settings_matrix import SettingsMatrixRead, settings_matrix_read
from app.api.v1.schemas.words import ClusterId

router = APIRouter(prefix="/v1/clusters", tags=["clusters"], redirect_slashes=False)


class MatrixFormat(enum.StrEnum):
    """How the comparison is wanted."""

    JSON = "json"
    HTML = "html"


_PAGE: dict[str, Any] = {
    "text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}
}


@router.get(
    "/{cluster_id}/settings-matrix",
    operation_id="getSettingsMatrix",
    summary="Compare the members' settings",
    response_model=SettingsMatrixRead,
    responses={200: {"content": _PAGE}, **responses("not-found")},
)
async def get(
    *,
    cluster_id: ClusterId,
    _caller: ClustersReader,
    services: ServicesOf,
    wanted: Annotated[
        MatrixFormat,
        Query(alias="format", description="json, or html (one printable page).", examples=["html"]),
    ] = MatrixFormat.JSON,
) -> SettingsMatrixRead | Response:
    """Every setting that peers hold for themselves (guide p.16-17), member by member.

    What must be equal and is not, or must differ and does not, is marked; every shared setting that
    is not the primary's is listed. Reads the members now and changes nothing.
    """
    found = await services.settings_matrix.of(cluster_id)
    matrix = settings_matrix_read(found)
    if wanted is MatrixFormat.HTML:
        names = {peer.id: peer.name for peer in found.cluster.members}
        return settings_page(matrix, found.cluster.name, names)
    return matrix
