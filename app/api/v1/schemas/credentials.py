"""Credentials: the secret goes in, never out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import CREDENTIAL, LINE, TIME, Asked, Line, NextCursor, Told
from app.services.records import Credential, CredentialKind

Secret = Annotated[
    str,
    Field(
        min_length=4,
        max_length=1024,
        pattern=LINE,
        repr=False,
        description="The password or pre-shared key. Never returned by any operation.",
        examples=["correct horse battery staple"],
        json_schema_extra={"writeOnly": True, "format": "password"},
    ),
]


class CredentialCreate(Asked):
    """A new credential."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "expressway admin",
                    "kind": "password",
                    "username": "admin",
                    "secret": "correct horse battery staple",
                }
            ]
        }
    )

    name: Line = Field(description="Unique name, for people.", examples=["expressway admin"])
    kind: CredentialKind = Field(
        default=CredentialKind.PASSWORD, description="What the secret is for."
    )
    username: str = Field(
        default="",
        max_length=200,
        pattern=LINE,
        description="User name of a password; empty for a pre-shared key.",
        examples=["admin"],
    )
    secret: Secret


class CredentialRotate(Asked):
    """The new secret of a credential."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"secret": "a longer and better secret"}]}
    )

    secret: Secret


class CredentialRead(Told):
    """A credential without its secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": CREDENTIAL,
                    "name": "expressway admin",
                    "kind": "password",
                    "username": "admin",
                    "fingerprint": "9f2c41d07be3a865",
                    "version": 1,
                    "created_at": TIME,
                    "rotated_at": TIME,
                }
            ]
        }
    )

    id: str = Field(description="The credential.")
    name: str = Field(description="Its name.")
    kind: CredentialKind = Field(description="What the secret is for.")
    username: str = Field(description="User name of a password.")
    fingerprint: str = Field(
        description="Equal secrets have equal fingerprints; nothing can be read back from it."
    )
    version: int = Field(description="One more with every rotation.")
    created_at: datetime = Field(description="When it was created.")
    rotated_at: datetime = Field(description="When the secret was last set.")


class CredentialList(Told):
    """A page of credentials."""

    items: list[CredentialRead] = Field(description="In the order they were created.")
    next_cursor: NextCursor = None


def credential_read(credential: Credential) -> CredentialRead:
    """What a reader may see."""
    return CredentialRead.model_validate(credential)
