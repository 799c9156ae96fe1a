"""API keys: what they may do, where, from where, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from app.api.v1.schemas.clusters import LABEL_EXAMPLE, LabelAsked, LabelRead, asked_labels
from app.api.v1.schemas.words import (
    CLUSTER,
    TIME,
    Asked,
    Id,
    Line,
    Moment,
    Network,
    NextCursor,
    Told,
    Whole,
)
from app.domain.terms import Label, in_order
from app.security.keys import ApiKey, Limits, Scope
from app.services.clusters import unique
from app.services.keys import KeyChange, MadeKey

KEY = "key-06f3k2m8q1v5x7z9b2d4f6h8j0"
_EXAMPLE: dict[str, JsonValue] = {
    "id": KEY,
    "prefix": "9f2c41d07be3",
    "name": "ServiceNow production",
    "scopes": ["clusters:read", "jobs:read", "jobs:run"],
    "clusters": [CLUSTER],
    "labels": [LABEL_EXAMPLE],
    "networks": ["192.0.2.0/24"],
    "expires_at": "2027-03-01T00:00:00Z",
    "created_at": TIME,
    "created_by": "key-06f3k2m8q1v5x7z9b2d4f6h8j1",
    "last_used_at": TIME,
    "old_good_until": None,
    "version": 1,
}

Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
Clusters = Annotated[list[Id], Field(min_length=1, max_length=500)]
Labels = Annotated[list[LabelAsked], Field(min_length=1, max_length=32)]
Networks = Annotated[list[Network], Field(max_length=50)]


class KeyCreate(Asked):
    """A new key. It may not be given more than the key that makes it has."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "ServiceNow production",
                    "scopes": ["clusters:read", "jobs:read", "jobs:run"],
                    "labels": [LABEL_EXAMPLE],
                    "networks": ["192.0.2.0/24"],
                    "expires_at": "2027-03-01T00:00:00Z",
                }
            ]
        }
    )

    name: Line = Field(description="Unique name, for people.", examples=["ServiceNow production"])
    scopes: Scopes = Field(
        description="What it may do; `admin` holds all others.", examples=[["clusters:read"]]
    )
    clusters: Clusters | None = Field(
        default=None,
        description="The only clusters it sees and touches; null: every cluster.",
        examples=[[CLUSTER]],
    )
    labels: Labels | None = Field(
        default=None,
        description="It sees and touches only clusters that have all of these labels at that "
        "moment; null: whatever their labels.",
        examples=[[LABEL_EXAMPLE]],
    )
    networks: Networks = Field(
        default_factory=list,
        description="Networks it may be used from, in CIDR form; empty: from everywhere.",
        examples=[["192.0.2.0/24"]],
    )
    expires_at: Moment | None = Field(
        default=None, description="Until when it is good; null: until revoked.", examples=[TIME]
    )

    def limits(self) -> Limits:
        """In the service's words."""
        return Limits(
            scopes=frozenset(self.scopes),
            clusters=None if self.clusters is None else frozenset(self.clusters),
            labels=_labels(self.labels),
            networks=tuple(self.networks),
            expires_at=self.expires_at,
        )


class KeyPatch(Asked):
    """What to change. Null is no limit, where it may stand; what is absent stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scopes": ["clusters:read"], "clusters": [CLUSTER]}]}
    )

    name: Line | None = Field(default=None, description="Its name.", examples=["ServiceNow test"])
    scopes: Scopes | None = Field(
        default=None, description="What it may do.", examples=[["clusters:read"]]
    )
    clusters: Clusters | None = Field(
        default=None,
        description="The only clusters it sees and touches; null: every cluster.",
        examples=[[CLUSTER]],
    )
    labels: Labels | None = Field(
        default=None,
        description="It sees and touches only clusters that have all of these labels at that "
        "moment; null: whatever their labels.",
        examples=[[LABEL_EXAMPLE]],
    )
    networks: Networks | None = Field(
        default=None,
        description="Networks it may be used from; empty: from everywhere.",
        examples=[["192.0.2.0/24"]],
    )
    expires_at: Moment | None = Field(
        default=None, description="Until when it is good; null: until revoked.", examples=[TIME]
    )

    def change(self, now: Limits) -> KeyChange:
        """What is asked, over what the key is now."""
        said = self.model_fields_set
        if not said - {"name"}:
            return KeyChange(name=self.name)
        clusters = now.clusters
        if "clusters" in said:
            clusters = None if self.clusters is None else frozenset(self.clusters)
        return KeyChange(
            name=self.name,
            limits=Limits(
                scopes=now.scopes if self.scopes is None else frozenset(self.scopes),
                clusters=clusters,
                labels=_labels(self.labels) if "labels" in said else now.labels,
                networks=now.networks if self.networks is None else tuple(self.networks),
                expires_at=self.expires_at if "expires_at" in said else now.expires_at,
            ),
        )


class KeyRotate(Asked):
    """How long the old text stays good."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep_old_seconds": 3600}]})

    keep_old_seconds: Whole = Field(
        default=0,
        ge=0,
        le=7 * 86_400,
        description="Seconds in which the old text is still accepted; 0: not one more request.",
        examples=[3600],
    )

    @property
    def keep_old(self) -> timedelta:
        """The same as a duration."""
        return timedelta(seconds=self.keep_old_seconds)


class KeyRead(Told):
    """A key without its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str = Field(description="The key; audit and jobs name it as their actor.")
    prefix: str = Field(description="What the text begins with behind `cwk_`; public.")
    name: str = Field(description="Its name.")
    scopes: list[Scope] = Field(description="What it may do.")
    clusters: list[str] | None = Field(description="The only clusters it reaches; null: all.")
    labels: list[LabelRead] | None = Field(
        description="The only labels it reaches clusters by: those that have all of these now; "
        "null: whatever they have."
    )
    networks: list[str] = Field(description="Networks it may be used from; empty: all.")
    expires_at: datetime | None = Field(description="Until when it is good; null: until revoked.")
    created_at: datetime = Field(description="When it was made.")
    created_by: str = Field(description="The key that made it; empty: the service's own machine.")
    last_used_at: datetime | None = Field(description="When it was last used, to the minute.")
    old_good_until: datetime | None = Field(
        description="Until when the text before the last rotation is accepted; null: it is not."
    )
    version: int = Field(description="One more with every change.")


class KeyMade(KeyRead):
    """A key with its text, which is shown this once and kept nowhere."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_EXAMPLE, "key": "cwk_9f2c41d07be3_" + "x" * 43}]}
    )

    key: str = Field(
        repr=False,
        description="The text to send as `Authorization: Bearer`. Keep it: it is not shown again.",
    )


class KeyList(Told):
    """A page of keys."""

    items: list[KeyRead] = Field(description="In the order they were made.")
    next_cursor: NextCursor = None


def _labels(asked: list[LabelAsked] | None) -> frozenset[Label]:
    labels = asked_labels(asked or [])
    unique(labels)
    return frozenset(labels)


def key_read(key: ApiKey) -> KeyRead:
    """What a reader may see."""
    return KeyRead(**_shown(key))


def key_made(made: MadeKey) -> KeyMade:
    """What the one who made or rotated it sees."""
    return KeyMade(**_shown(made.key), key=made.text)


def _shown(key: ApiKey) -> dict[str, object]:
    limits = key.limits
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "scopes": sorted(limits.scopes),
        "clusters": None if limits.clusters is None else sorted(limits.clusters),
        "labels": [LabelRead.model_validate(label) for label in in_order(limits.labels)] or None,
        "networks": [str(network) for network in limits.networks],
        "expires_at": limits.expires_at,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "last_used_at": key.last_used_at,
        "old_good_until": None if key.older is None else key.older.until,
        "version": key.version,
    }
