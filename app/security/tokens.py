"""Access tokens of other issuers (JWT, RFC 7519 and 9068): whom to believe, and what they say.

What a token says of itself decides nothing: the algorithms are the issuer's setting, the key is one
of the issuer's key set and fits the algorithm by its own type, and members of the header that name
a key elsewhere (`jku`, `x5u`, `jwk`) are not read (RFC 8725).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.domain.terms import LABEL_NAME, LONGEST_LABEL_VALUE, Label
from app.security.keys import Limits, Principal, Scope

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
EVERY_CLUSTER = "*"
"""Also: whatever the label's value."""
MOST_KEYS = 100
MOST_CLUSTERS = 500
SHORTEST_RSA = 2048
"""Bits."""
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,200}")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_FITS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("RSA", ""): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
_BROKEN = (
    jwt.PyJWTError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    OSError,
    RecursionError,
)
"""What hostile input makes of parsers: deep JSON is a RecursionError, a far date an OSError."""


class TokenRefused(Exception):
    """The token is not believed. The message says why and holds nothing of it."""


class KeySetUnusable(Exception):
    """The issuer's keys cannot be had. The message says why and holds nothing of what came."""


class Issuer(BaseModel):
    """Somebody whose tokens are believed: one entry of CLUSTERWAY_TOKEN_ISSUERS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alias: str = Field(pattern=r"^[a-z0-9-]{1,32}$")
    """Short name; a caller is `jwt:<alias>:<sub>` in jobs and in the audit trail."""
    issuer: str = Field(min_length=1)
    """What `iss` must be, letter by letter."""
    audience: str = Field(min_length=1)
    """What `aud` must be, or hold."""
    jwks_url: str | None = None
    jwks_file: Path | None = None
    """Where its keys are: one of the two."""
    ca_bundle: Path | None = None
    """PEM file of whom to trust at `jwks_url`; without it the public authorities."""
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "PS256", "ES256", "EdDSA"), min_length=1
    )
    leeway_seconds: int = Field(default=30, ge=0, le=300)
    """How far the clocks may be apart, for `exp`, `nbf` and `iat`."""
    keys_seconds: float = Field(default=600.0, ge=1, le=86_400)
    """How long a key set is believed; from half of it on a new one is fetched."""
    refetch_seconds: float = Field(default=30.0, ge=1, le=3600)
    """Between two fetches, whatever tokens ask for."""
    scope_claim: str = Field(default="scope", min_length=1)
    clusters_claim: str | None = Field(default=None, min_length=1)
    """Lists the ids of the clusters a caller is limited to. Where this is set, a token without the
    claim reaches no cluster, and one with `*` every cluster."""
    label_claims: Mapping[str, str] = Field(default_factory=dict)
    """Claims by the names of cluster labels: a caller reaches only clusters whose label has the
    claim's value. A token without the claim reaches no cluster; `*` is no limit by that label."""

    @model_validator(mode="after")
    def _labels(self) -> Self:
        names = list(self.label_claims.values())
        if len(set(names)) < len(names) or not all(
            len(name) <= 63 and re.fullmatch(LABEL_NAME, name) for name in names
        ):
            raise ValueError("label_claims: each claim stands for another label of a cluster")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("give either jwks_url or jwks_file")
        return self


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a key set. `algorithms`: what it may be used with."""

    kid: str | None
    algorithms: tuple[str, ...]
    key: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What a token says before anything of it is believed: where to look for the key."""

    issuer: str
    kid: str | None
    algorithm: str


def looks_like_a_token(presented: str) -> bool:
    """Whether the text has the shape of a signed JWT; API keys have not."""
    return _SHAPE.fullmatch(presented) is not None


def said_by(token: str) -> Said:
    """What the token says of itself, unproven. Raises TokenRefused."""
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
        header, claims = whole["header"], whole["payload"]
    except _BROKEN:
        raise TokenRefused("it is not a signed JWT that is understood here") from None
    kid, algorithm, issuer = header.get("kid"), header.get("alg"), claims.get("iss")
    if not (kid is None or isinstance(kid, str)) or not isinstance(algorithm, str):
        raise TokenRefused("its header is not that of a signed JWT")
    if not isinstance(issuer, str):
        raise TokenRefused("it names no issuer")
    return Said(issuer, kid, algorithm)


def key_for(said: Said, keys: Iterable[PublicKey]) -> PublicKey | None:
    """The key of that id that fits the algorithm; without an id, the only one that fits."""
    fitting = [key for key in keys if said.algorithm in key.algorithms]
    if said.kid is not None:
        fitting = [key for key in fitting if key.kid == said.kid]
    return fitting[0] if len(fitting) == 1 else None


def principal_of(token: str, said: Said, key: PublicKey, issuer: Issuer) -> Principal:
    """Who the token's bearer is, everything checked. Raises TokenRefused."""
    if said.algorithm not in issuer.algorithms or said.algorithm not in key.algorithms:
        raise TokenRefused("its algorithm is not accepted")
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[said.algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=issuer.leeway_seconds,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except jwt.ExpiredSignatureError:
        raise TokenRefused("it has expired") from None
    except jwt.ImmatureSignatureError:
        raise TokenRefused("it is not good yet") from None
    except jwt.InvalidAudienceError:
        raise TokenRefused("it is meant for another audience") from None
    except jwt.MissingRequiredClaimError as missing:
        raise TokenRefused(f"it has no {missing.claim}") from None
    except _BROKEN:
        raise TokenRefused("its signature or its claims are not good") from None
    subject = claims["sub"]
    if not _SUBJECT.fullmatch(subject):
        raise TokenRefused("its subject is not 1 to 200 visible ASCII characters")
    return Principal(
        id=f"jwt:{issuer.alias}:{subject}",
        name=subject,
        limits=replace(
            _reach(claims, issuer),
            scopes=_scopes(claims.get(issuer.scope_claim)),
            expires_at=expires_at,
        ),
    )


def read_key_set(text: bytes) -> tuple[PublicKey, ...]:
    """The signature keys of a JWK set (RFC 7517); others are passed over. Raises KeySetUnusable."""
    try:
        entries = json.loads(text)["keys"]
        known = [entry for entry in entries if isinstance(entry, dict)]
    except _BROKEN:
        raise KeySetUnusable("what came is not a JWK set") from None
    if len(known) > MOST_KEYS:
        raise KeySetUnusable(f"the key set holds more than {MOST_KEYS} keys")
    keys = tuple(key for key in map(_public_key, known) if key is not None)
    if not keys:
        raise KeySetUnusable("the key set holds no key for signatures that is accepted here")
    return keys


def _public_key(entry: Mapping[str, Any]) -> PublicKey | None:
    kind, curve = entry.get("kty"), entry.get("crv", "")
    kid, own = entry.get("kid"), entry.get("alg")
    if not isinstance(kind, str) or not isinstance(curve, str) or entry.get("use", "sig") != "sig":
        return None
    fits = tuple(name for name in _FITS.get((kind, curve), ()) if own in (None, name))
    if not fits or not (kid is None or isinstance(kid, str)):
        return None
    try:
        public = {name: value for name, value in entry.items() if name not in _PRIVATE}
        key = jwt.PyJWK(public, algorithm=fits[0]).key
    except _BROKEN:
        return None
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA:
        return None
    return PublicKey(kid, fits, key)


def _scopes(claim: Any) -> frozenset[Scope]:
    """Our scopes among those of the claim: a text with blanks between them, or a list."""
    names = claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(names, list):
        return frozenset()
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[name] for name in names if isinstance(name, str) and name in known)


def _clusters(claims: Mapping[str, Any], issuer: Issuer) -> frozenset[str] | None:
    if issuer.clusters_claim is None:
        return None
    named = claims.get(issuer.clusters_claim, [])
    names = named.split(" ") if isinstance(named, str) else named
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TokenRefused("its clusters are not a list of ids")
    if len(names) > MOST_CLUSTERS:
        raise TokenRefused(f"it names more than {MOST_CLUSTERS} clusters")
    return None if EVERY_CLUSTER in names else frozenset(names) - {""}


def _reach(claims: Mapping[str, Any], issuer: Issuer) -> Limits:
    """The clusters and labels that the token is limited to."""
    labels: set[Label] = set()
    for claim, name in issuer.label_claims.items():
        if claim not in claims:
            return Limits(frozenset(), clusters=frozenset())
        value = claims[claim]
        if not isinstance(value, str) or len(value) > LONGEST_LABEL_VALUE:
            raise TokenRefused(f"its {claim} is not the value of a label")
        if value != EVERY_CLUSTER:
            labels.add(Label(name, value))
    return Limits(frozenset(), clusters=_clusters(claims, issuer), labels=frozenset(labels))
