"""The API with nothing behind it: for reading its routes and writing its OpenAPI document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from fastapi import FastAPI

from app.api.application import create_api
from app.procedures.registry import PROCEDURES
from app.services.bundle import Services
from app.settings import Settings


class _Nothing:
    """Stands where a service would; asking it for anything but the catalogue is a mistake."""

    procedures = PROCEDURES

    async def authenticate(self, _presented: str, _address: str) -> Any:
        """Nobody is known here."""
        raise RuntimeError("this application is for reading its description only")

    async def stranger(self, _source: str) -> None:
        """Nothing is written down here."""

    async def answered(self, _act: Any, _status: int) -> None:
        """Nothing is written down here."""


def offline_api() -> FastAPI:
    """The application, good for `openapi()` and its routes."""
    nothing = cast("Any", _Nothing())
    services = Services(**{field.name: nothing for field in fields(Services)})
    return create_api(services, Settings.model_construct(docs=True))
