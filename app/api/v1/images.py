"""`/v1/images`: the software images that lie in the service's image folder (ADR 0006)."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.api.dependencies import ClustersReader, ServicesOf
from app.api.problems import responses
from app.api.v1.schemas.words import TIME, Told

router = APIRouter(prefix="/v1/images", tags=["images"], redirect_slashes=False)


class ImageRead(Told):
    """A software image that an upgrade can name."""

    name: str = Field(description="Its file name.", examples=["s42700x8_2_0.tar.gz"])
    size: int = Field(description="Bytes.", examples=[734003200])
    modified_at: datetime = Field(description="When the file was written.", examples=[TIME])


class ImageList(Told):
    """The images of the folder."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"items": [{"name": "s42700x8_2_0.tar.gz", "size": 734003200, "modified_at": TIME}]}
            ]
        }
    )

    items: list[ImageRead] = Field(max_length=200, description="By name, 200 at most.")


@router.get("", operation_id="listImages", summary="List software images", responses=responses())
async def list_all(*, _caller: ClustersReader, services: ServicesOf) -> ImageList:
    """Software images that the operator has put into the image folder, for upgrades."""
    found = await services.images.all()
    return ImageList(
        items=[ImageRead(name=i.name, size=i.size, modified_at=i.modified_at) for i in found]
    )
