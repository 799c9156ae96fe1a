"""Access tokens of another issuer: who is let in by one, and every forgery that must not be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.api.application import create_api
from app.main import key_sets
from app.security.tokens import Issuer
from app.services import tokens
from app.services.bundle import join
from app.settings import Settings
from app.webhooks.key_sets import LIMIT_SECONDS
from tests.api.conftest import World
from tests.api.test_conventions import is_problem
from tests.support.issuer import (
    ISSUER,
    LocalIssuer,
    by_hand,
    claims,
    ec_key,
    jwk,
    local_issuer,
    part,
    rsa_key,
)
from tests.support.receiver import endless, hang, status

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[LocalIssuer]:
    async with local_issuer(tmp_path) as found:
        yield found


@asynccontextmanager
async def service(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    *issuers: dict[str, Any],
    limit: float = LIMIT_SECONDS,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """The service with these issuers, configured as an operator does it."""
    monkeypatch.setenv("CLUSTERWAY_TOKEN_ISSUERS", json.dumps(issuers))
    usual = {"data_folder": Path("unused"), "allow_loopback_key_sets": True, "rate_limit": 0}
    read = Settings(**{**usual, "wrong_key_limit": 1000, **settings})
    fetch = replace(key_sets(read), limit=limit)
    services = join(replace(world.parts, key_sets=fetch), read)
    app = create_api(services, read)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://service.example.com"
    ) as caller:
        yield caller


async def ask(caller: httpx.AsyncClient, token: str, path: str = "/v1/clusters") -> httpx.Response:
    return await caller.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_a_token_opens_what_its_scopes_say_and_its_bearer_is_named_in_the_trail(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(world, monkeypatch, issuer.setting()) as caller:
        assert (await ask(caller, issuer.token())).status_code == 200
        is_problem(await ask(caller, issuer.token(), "/v1/audit"), 403, "forbidden")
        made = await caller.post(
            "/v1/clusters",
            json={"name": "tokens.example.com"},
            headers={"Authorization": f"Bearer {issuer.token(scope=['clusters:write'])}"},
        )
        assert made.status_code == 201, made.text
        assert (await caller.get("/v1/clusters", headers=world.client.headers)).status_code == 200
    rows = (await world.client.get("/v1/audit", params={"action": "createCluster"})).json()
    assert rows["items"][0]["actor"] == "jwt:corp:change-bot"
    assert rows["items"][0]["actor_name"] == "change-bot"
    assert len(issuer.web.received) == 1


async def test_without_an_issuer_no_token_is_good(world: World, issuer: LocalIssuer) -> None:
    is_problem(await ask(world.anonymous, issuer.token()), 401, "unauthenticated")


async def test_a_token_is_limited_to_the_clusters_it_lists(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, foreign = (
        await world.cluster("own.example.com"),
        await world.cluster("foreign.example.com"),
    )
    async with service(world, monkeypatch, issuer.setting(clusters_claim="clusters")) as caller:
        for listed, seen in (
            ([own["id"]], {own["id"]}),
            (own["id"], {own["id"]}),
            (["*"], {own["id"], foreign["id"]}),
            ([], set()),
            (None, set()),
        ):
            answer = await ask(caller, issuer.token(clusters=listed))
            assert {item["id"] for item in answer.json()["items"]} == seen, listed
        limited = issuer.token(clusters=[own["id"]])
        assert (await ask(caller, limited, f"/v1/clusters/{own['id']}")).status_code == 200
        missing = await ask(caller, limited, f"/v1/clusters/{foreign['id']}")
        is_problem(missing, 404, "not-found")
        for wrong in ({"a": 1}, [1], ["x"] * 501):
            refused = await ask(caller, issuer.token(clusters=wrong))
            is_problem(refused, 401, "unauthenticated")


async def test_a_token_does_not_turn_itself_into_a_key_that_outlives_it(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(world, monkeypatch, issuer.setting()) as caller:
        answer = await caller.post(
            "/v1/keys",
            json={"name": "for ever", "scopes": ["clusters:read"]},
            headers={"Authorization": f"Bearer {issuer.token(scope='admin')}"},
        )
        is_problem(answer, 403, "forbidden")


Forgery = Callable[[LocalIssuer], str]
FORGERIES: dict[str, tuple[Forgery, str]] = {
    "no algorithm": (
        lambda issuer: by_hand({"alg": "none", "kid": "one"}, claims()),
        "algorithm",
    ),
    "no algorithm, spelled otherwise": (
        lambda issuer: by_hand({"alg": "nOnE", "kid": "one"}, claims()),
        "algorithm",
    ),
    "the public key as an HMAC secret, PEM": (
        lambda issuer: by_hand({"alg": "HS256", "kid": "one"}, claims(), public_pem(issuer)),
        "algorithm",
    ),
    "another algorithm than the key's": (
        lambda issuer: jwt.encode(claims(), rsa_key(), "RS256", headers={"kid": "one"}),
        "no key",
    ),
    "a stranger's key under a known id": (
        lambda issuer: jwt.encode(claims(), ec_key(), "ES256", headers={"kid": "one"}),
        "signature",
    ),
    "a key of its own in the header": (
        lambda issuer: with_own_key("jwk"),
        "no key",
    ),
    "an address of keys in the header": (
        lambda issuer: jwt.encode(
            claims(), ec_key(), "ES256", headers={"kid": "evil", "jku": issuer.web.url()}
        ),
        "no key",
    ),
    "a key id that is a path": (
        lambda issuer: jwt.encode(
            claims(), ec_key(), "ES256", headers={"kid": "../../../../dev/null"}
        ),
        "no key",
    ),
    "a key id that is SQL": (
        lambda issuer: jwt.encode(claims(), ec_key(), "ES256", headers={"kid": "' or 1=1 --"}),
        "no key",
    ),
    "a key id that is a list": (
        lambda issuer: by_hand({"alg": "ES256", "kid": ["one"]}, claims()),
        "JWT",
    ),
    "an unknown extension": (
        lambda issuer: jwt.encode(
            claims(), issuer.keys["one"], "ES256", headers={"kid": "one", "crit": ["x"], "x": 1}
        ),
        "understood",
    ),
    "expired": (lambda issuer: issuer.token(exp=claims()["exp"] - 400), "expired"),
    "without an end": (lambda issuer: issuer.token(exp=None), "no exp"),
    "an end beyond all time": (lambda issuer: issuer.token(exp=10**18), "claims"),
    "an end that is infinite": (lambda issuer: issuer.token(exp=float("inf")), "claims"),
    "not good yet": (lambda issuer: issuer.token(nbf=claims()["nbf"] + 120), "not good yet"),
    "issued in the future": (lambda issuer: issuer.token(iat=claims()["iat"] + 120), "not good"),
    "another audience": (lambda issuer: issuer.token(aud="https://other.example.com"), "audience"),
    "no audience": (lambda issuer: issuer.token(aud=None), "no aud"),
    "another issuer": (lambda issuer: issuer.token(iss="https://evil.example.com"), "issuer"),
    "an issuer with a slash more": (lambda issuer: issuer.token(iss=ISSUER + "/"), "issuer"),
    "no issuer": (lambda issuer: issuer.token(iss=None), "no issuer"),
    "an issuer that is a list": (
        lambda issuer: by_hand({"alg": "ES256", "kid": "one"}, claims(iss=[ISSUER])),
        "issuer",
    ),
    "no subject": (lambda issuer: issuer.token(sub=None), "no sub"),
    "an empty subject": (lambda issuer: issuer.token(sub=""), "subject"),
    "a subject of two lines": (lambda issuer: issuer.token(sub="a\nb"), "subject"),
    "a subject that is a number": (
        lambda issuer: by_hand({"alg": "ES256", "kid": "one"}, claims(sub=1)),
        "signature",
    ),
    "an altered payload": (lambda issuer: altered(issuer.token()), "signature"),
    "no signature": (lambda issuer: issuer.token().rpartition(".")[0] + ".AA", "signature"),
    "nesting without an end": (
        lambda issuer: f"{part({'alg': 'ES256'})}.{part(b'[' * 5900)}.AA",
        "JWT",
    ),
    "nesting without an end in the header": (
        lambda issuer: f"{part(b'[' * 5900)}.{part({})}.AA",
        "JWT",
    ),
    "no JSON": (lambda issuer: "e30e30.e30e30.e30e30", "JWT"),
}


def public_pem(issuer: LocalIssuer) -> bytes:
    public = issuer.keys["one"].public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_own_key(name: str) -> str:
    own = ec_key()
    return jwt.encode(claims(), own, "ES256", headers={"kid": "evil", name: jwk(own, "evil")})


def altered(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{part(claims(scope='admin'))}.{signature}"


async def test_no_forged_token_opens_anything(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(world, monkeypatch, issuer.setting()) as caller:
        for name, (forge, why) in FORGERIES.items():
            token = forge(issuer)
            problem = is_problem(await ask(caller, token), 401, "unauthenticated")
            assert why in problem["detail"], (name, problem["detail"])
            assert token not in world.logs.getvalue()
        huge = is_problem(await ask(caller, issuer.token(x="a" * 9000)), 401, "unauthenticated")
        assert "key" in huge["detail"]
        assert (await ask(caller, issuer.token())).status_code == 200
    assert len(issuer.web.received) == 1, "forgeries made the service fetch again"


async def test_clocks_may_be_apart_by_the_leeway(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(world, monkeypatch, issuer.setting(leeway_seconds=60)) as caller:
        now = claims()["iat"]
        assert (await ask(caller, issuer.token(exp=now - 30))).status_code == 200
        assert (await ask(caller, issuer.token(nbf=now + 30))).status_code == 200
        is_problem(await ask(caller, issuer.token(exp=now - 90)), 401, "unauthenticated")


async def test_every_kind_of_key_is_good_and_weak_and_secret_ones_are_not(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small, edwards = rsa_key(), rsa_key(1024), Ed25519PrivateKey.generate()
    issuer.keys |= {"rsa": large, "weak": small, "ed": edwards, "other use": large, "narrow": large}
    secret = {"kty": "oct", "kid": "shared", "k": part(b"s" * 32), "alg": "HS256"}
    issuer.publish(
        jwk(issuer.keys["one"], "one"),
        jwk(large, "rsa"),
        jwk(small, "weak"),
        jwk(edwards, "ed"),
        jwk(large, "other use", use="enc"),
        jwk(large, "narrow", alg="PS256"),
        secret,
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AA", "y": "AA"},
    )
    async with service(world, monkeypatch, issuer.setting()) as caller:
        for kid, algorithm in (("one", "ES256"), ("rsa", "RS256"), ("rsa", "PS256"),
                               ("ed", "EdDSA"), ("narrow", "PS256")):  # fmt: skip
            assert (await ask(caller, issuer.token(kid, algorithm))).status_code == 200, kid
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            weak = issuer.token("weak", "RS256")
        shared = by_hand({"alg": "HS256", "kid": "shared"}, claims(), b"s" * 32)
        for token in (weak, shared, issuer.token("other use", "RS256"),
                      issuer.token("narrow", "RS256"), issuer.token("rsa", "RS512")):  # fmt: skip
            is_problem(await ask(caller, token), 401, "unauthenticated")


async def test_a_rotated_key_is_found_and_the_one_before_it_ends(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = moving(monkeypatch)
    async with service(world, monkeypatch, issuer.setting()) as caller:
        old = issuer.token()
        assert (await ask(caller, old)).status_code == 200
        issuer.rotate("two")
        is_problem(await ask(caller, issuer.token("two")), 401, "unauthenticated")
        seconds[0] += 31
        assert (await ask(caller, issuer.token("two"))).status_code == 200
        is_problem(await ask(caller, old), 401, "unauthenticated")
    assert len(issuer.web.received) == 2


async def test_a_flood_of_unknown_key_ids_costs_one_fetch(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = moving(monkeypatch)
    async with service(world, monkeypatch, issuer.setting()) as caller:
        assert (await ask(caller, issuer.token())).status_code == 200
        seconds[0] += 31
        key = ec_key()
        flood = [jwt.encode(claims(), key, "ES256", headers={"kid": f"k{n}"}) for n in range(200)]
        answers = await asyncio.gather(*(ask(caller, token) for token in flood))
        assert {answer.status_code for answer in answers} == {401}
        assert (await ask(caller, issuer.token())).status_code == 200
    assert len(issuer.web.received) == 2


async def test_while_the_keys_are_not_to_be_had_nobody_is_let_in_and_api_keys_work(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = moving(monkeypatch)
    async with service(world, monkeypatch, issuer.setting()) as caller:
        for answer in (
            status(503),
            status(302, f"Location: {issuer.web.url('127.0.0.1')}"),
            status(200, body=b"<html>"),
            status(200, body=b"[" * 100_000),
            status(200, body=b'{"keys": []}'),
            status(200, body=json.dumps({"keys": [{}] * 101}).encode()),
            status(200, body=b" " * 262_145),
            endless,
        ):
            issuer.web.answers = [answer]
            refused = await ask(caller, issuer.token())
            is_problem(refused, 503, "token-keys-unavailable")
            assert refused.headers["retry-after"]
            is_problem(await ask(caller, issuer.token()), 503, "token-keys-unavailable")
            seconds[0] += 31
        assert (await caller.get("/v1/clusters", headers=world.client.headers)).status_code == 200
        assert len(issuer.web.received) == 8
        assert (await ask(caller, issuer.token())).status_code == 200


async def test_keys_are_believed_for_their_time_and_renewed_at_half_of_it(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = moving(monkeypatch)
    async with service(world, monkeypatch, issuer.setting(keys_seconds=600)) as caller:
        assert (await ask(caller, issuer.token())).status_code == 200
        issuer.web.usual = status(503)
        for later, expected in ((299, 200), (2, 200), (298, 200), (2, 503)):
            seconds[0] += later
            assert (await ask(caller, issuer.token())).status_code == expected, later
        issuer.rotate("one", issuer.keys["one"])
        seconds[0] += 31
        assert (await ask(caller, issuer.token())).status_code == 200


async def test_an_issuer_that_hangs_is_given_up(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.web.answers = [hang]
    async with service(world, monkeypatch, issuer.setting(), limit=0.2) as caller:
        is_problem(await ask(caller, issuer.token()), 503, "token-keys-unavailable")
    assert "took too long" in world.logs.getvalue()


async def test_keys_come_from_a_file_too_and_never_from_an_address_that_is_refused(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [jwk(issuer.keys["one"], None)]}))
    by_file = issuer.setting(jwks_url=None, jwks_file=str(file))
    async with service(world, monkeypatch, by_file) as caller:
        nameless = jwt.encode(claims(), issuer.keys["one"], "ES256")  # type: ignore[arg-type]  # EC
        assert (await ask(caller, nameless)).status_code == 200
        is_problem(await ask(caller, issuer.token()), 401, "unauthenticated")
    refused = [
        (issuer.setting(), False),
        (issuer.setting(jwks_url="https://169.254.169.254/keys"), True),
        (issuer.setting(jwks_url="http://192.0.2.1/keys"), True),
        (issuer.setting(ca_bundle=None), True),
        (by_file | {"jwks_file": str(tmp_path / "absent")}, True),
    ]
    for setting, loopback in refused:
        async with service(world, monkeypatch, setting, allow_loopback_key_sets=loopback) as caller:
            is_problem(await ask(caller, issuer.token()), 503, "token-keys-unavailable")
    assert issuer.web.received == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwks_file": "/etc/keys"},
        {"jwks_url": None},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"alias": "a:b"},
        {"audience": ""},
        {"leeway_seconds": 3600},
        {"verify": False},
    ],
)
def test_a_setting_that_would_believe_too_much_stops_the_start(wrong: dict[str, Any]) -> None:
    good = {"alias": "corp", "issuer": ISSUER, "audience": "a", "jwks_url": "https://e.example/k"}
    Issuer.model_validate(good)
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        Issuer.model_validate(good | wrong)


def test_each_issuer_stands_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"alias": "corp", "issuer": ISSUER, "audience": "a", "jwks_url": "https://e.example/k"}
    monkeypatch.setenv("CLUSTERWAY_TOKEN_ISSUERS", json.dumps([one, one | {"alias": "other"}]))
    with pytest.raises(ValueError, match="once"):
        Settings()


def moving(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that key sets go by, for the test to put forward."""
    seconds = [1000.0]

    class Moving(tokens.KeySet):
        def __init__(self, issuer: Issuer, fetch: tokens.Fetch) -> None:
            super().__init__(issuer, fetch, lambda: seconds[0])

    monkeypatch.setattr(tokens, "KeySet", Moving)
    return seconds
