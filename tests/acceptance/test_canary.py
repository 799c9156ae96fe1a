"""Unmistakable secrets go through the whole service, and are then looked for everywhere.

What the vault has sealed is the only thing that may hold them, and not so that anybody reads them.
The search itself is tried last: a secret is planted in each kind of place, and must be found there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import zlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import psycopg
import pytest
import structlog

from app.observability.logs import set_up
from app.security.tokens import Issuer
from app.storage.database import plain_url
from tests.cli.conftest import OpenStand, database_url, open_house, open_stand, postgres_server
from tests.support.canary import Search
from tests.support.issuer import AUDIENCE, ISSUER, claims, ec_key, jwk
from tests.support.receiver import receiver
from tests.support.tracing import kept_spans
from tests.unit.ssh.hostile_server import HOST_KEY, pin, serving

__all__ = ["database_url", "open_house", "open_stand", "postgres_server"]

pytestmark = [pytest.mark.postgres, pytest.mark.sockets]

CLUSTER = "cluster1.example.com"
SECRETS = {
    "device password": "Canary-Device-7f3a91",
    "wrong password": "Canary-Wrong-91be05",
    "rotated password": "Canary-Rotated-55aa37",
    "pre-shared key": "Canary-Psk-c0ffee12",
    "webhook authorization": "Canary-Hook-424213",
}
SCENARIO = {
    "admin_password": SECRETS["device password"],
    "expressways": [{"name": f"exp{n}", "address": f"192.0.2.{10 + n}"} for n in (1, 2, 3)],
}


@pytest.fixture
def quiet_logs() -> Iterator[StringIO]:
    """The JSON log of API and worker, which are one process here; set up when the service is."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = StringIO()
    yield written
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def test_no_secret_is_anywhere_but_sealed(
    open_stand: OpenStand, quiet_logs: StringIO, tmp_path: Path
) -> None:
    search = Search(dict(SECRETS))
    signer = ec_key()
    keys = tmp_path / "issuer.json"
    keys.write_text(json.dumps({"keys": [jwk(signer, "one")]}))
    issuer = Issuer(alias="corp", issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
    with kept_spans() as kept:
        async with (
            open_stand(SCENARIO, allow_loopback_webhooks=True, token_issuers=[issuer]) as stand,
            receiver(None) as hooks,
        ):
            set_up(stand.house.service.redactor, stream=quiet_logs)
            client = stand.house.story.client
            client.event_hooks["response"].append(search.keep)
            search.secrets = {
                **search.secrets,
                "first API key": stand.key,
                "access token": jwt.encode(claims(), signer, "ES256", headers={"kid": "one"}),
                "master key": master_key(stand.house.service.settings.keys),
            }
            await everything_that_is_done(stand, search, hooks)
            await everything_that_is_said(stand, search)
            await stand.house.service.services.evidence.seal_some(0)
            url = plain_url(stand.house.service.database_url)
            async with await psycopg.AsyncConnection.connect(url) as connection:
                rows = await search.take_database(connection)
            assert rows > 200, "the story left too little to search"
            search.add("log", quiet_logs.getvalue())
            assert quiet_logs.getvalue().count("\n") > 50
            search.add("trace", kept.text)
            assert len(kept.all) > 100
            assert search.leaks == []
            await planted(stand)


def master_key(path: Path) -> str:
    (line,) = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return line.partition(":")[2]


async def everything_that_is_done(stand: Any, search: Search, hooks: Any) -> None:
    """Register, create, add, rotate; and all that goes wrong meanwhile."""
    story, client = stand.house.story, stand.house.story.client
    password = await story.credential(SECRETS["device password"])
    wrong = await story.credential(SECRETS["wrong password"], "wrong")
    body = {"name": "psk", "kind": "pre_shared_key", "secret": SECRETS["pre-shared key"]}
    key = await story.post("/v1/credentials", body)
    auth = {"kind": "header", "header": "X-Token", "secret": SECRETS["webhook authorization"]}
    url = f"http://127.0.0.1:{hooks.port}/hook"
    hook = await story.post("/v1/webhooks", {"name": "hook", "url": url, "auth": auth})
    once(search, "POST /v1/webhooks", "webhook secret", hook["secret"])
    peers = [await registered(stand, number, password) for number in (0, 1)]
    cluster = (await story.post(
        "/v1/clusters", {"name": CLUSTER, "pre_shared_key_id": key["id"]}
    ))["id"]  # fmt: skip
    await story.build(cluster, peers)
    # A log-in that fails, and a peer that says the password back at every line, broken off.
    refused = await registered(stand, 2, wrong)
    assert (await story.ask(f"/v1/peers/{refused}/observations")).json()["code"]
    new = {"secret": SECRETS["rotated password"]}
    place = f"/v1/credentials/{wrong}/secret"
    assert (await client.put(place, json=new, headers={"If-Match": "*"})).is_success
    assert (await story.ask(f"/v1/peers/{refused}/observations")).json()["code"]
    echo = f'*e "{SECRETS["rotated password"]} is no command\r\n'.encode()

    async def parrot(line: str, process: Any) -> None:
        process.stdout.write(echo)
        process.close()

    async with serving(parrot, password=SECRETS["rotated password"]) as hostile:
        endpoint = {
            "transport": "ssh", "host": "127.0.0.1", "port": hostile.port,
            "credential_id": wrong, "trust": {"host_key": pin(HOST_KEY).public_key},
        }  # fmt: skip
        parrot_peer = await story.peer("parrot", "192.0.2.99", endpoint)
        answer = await story.ask(f"/v1/peers/{parrot_peer}/observations")
        assert not answer.is_success
        assert hostile.passwords_seen == [SECRETS["rotated password"]]
    # Requests that are refused, with secrets where they do not belong.
    for secret in SECRETS.values():
        for wrong_body in ({"secret": secret}, {"name": secret * 60, "kind": secret}, [secret]):
            assert (await client.post("/v1/credentials", json=wrong_body)).status_code == 422
    place = f"/v1/webhooks/{hook['id']}/secrets"
    rotated = await story.post(place, {"overlap_seconds": 60})
    once(search, f"POST {place}", "second webhook secret", rotated["secret"])
    await story.post(f"/v1/webhooks/{hook['id']}/test")
    made = await story.post("/v1/keys", {"name": "another", "scopes": ["clusters:read"]})
    once(search, "POST /v1/keys", "second API key", made["key"])
    for text in (made["key"], search.secrets["access token"]):
        altered = text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:]
        for shown in (text, altered):
            headers = {"Authorization": f"Bearer {shown}"}
            seen = await client.get("/v1/clusters", headers=headers)
            assert seen.status_code == (200 if shown == text else 401), seen.text
    job = await story.run(cluster, "backup", {})
    assert job["state"] == "succeeded", job["failure"]
    await asyncio.wait_for(hooks.arrived.wait(), 60)
    assert hooks.received[0].headers["x-token"] == SECRETS["webhook authorization"]


def once(search: Search, place: str, name: str, secret: str) -> None:
    search.secrets = {**search.secrets, name: secret}
    search.shown.add((place, name))


async def registered(stand: Any, number: int, credential: str) -> str:
    entry = stand.house.reachable[number]
    endpoints = [
        {"transport": "ssh", "host": entry["host"], "port": entry["ssh_port"],
         "credential_id": credential, "trust": {"host_key": entry["host_key"]}},
        {"transport": "http", "host": entry["host"], "port": entry["https_port"],
         "credential_id": credential, "trust": {"certificate": entry["certificate"]},
         "options": {"xml_api": "false"}},
    ]  # fmt: skip
    return str(await stand.house.story.peer(entry["name"], entry["address"], *endpoints))


async def everything_that_is_said(stand: Any, search: Search) -> None:
    """Every reading operation that needs no more than what is there, and the command line."""
    story, client = stand.house.story, stand.house.story.client
    jobs = (await story.get("/v1/jobs"))["items"]
    for job in jobs:
        for part in ("", "/events", "/transcript", "/evidence", "/observations", "/result",
                     "/backups"):  # fmt: skip
            assert (await client.get(f"/v1/jobs/{job['id']}{part}")).is_success, part
        assert (await client.get(f"/v1/plans/{job['plan_id']}")).is_success
    for path in ("/v1/credentials", "/v1/peers", "/v1/clusters", "/v1/webhooks", "/v1/keys",
                 "/v1/plans", "/v1/backups", "/v1/audit?limit=200", "/metrics", "/openapi.json",
                 "/v1/evidence/keys", "/readyz"):  # fmt: skip
        assert (await client.get(path)).is_success, path
    (hook,) = (await story.get("/v1/webhooks"))["items"]
    for delivery in (await story.get(f"/v1/webhooks/{hook['id']}/deliveries"))["items"]:
        await story.get(f"/v1/webhooks/{hook['id']}/deliveries/{delivery['id']}")
    (cluster,) = (await story.get("/v1/clusters"))["items"]
    for part in ("checks", "ports", "events"):
        assert (await client.get(f"/v1/clusters/{cluster['id']}/{part}")).is_success, part
    await story.post(f"/v1/clusters/{cluster['id']}/observations")
    file = stand.folder / "evidence.json"
    for words in (
        ("credentials", "list"), ("peers", "list"), ("clusters", "list"), ("jobs", "list"),
        ("jobs", "show", jobs[-1]["id"]), ("webhooks", "list"), ("profiles", "list"),
        ("evidence", "fetch", jobs[-1]["id"], "--to", str(file)), ("evidence", "verify", str(file)),
        ("diagnose", CLUSTER), ("clusters", "show", "nobody"),
    ):  # fmt: skip
        for more in ((), ("--json",)):
            ended = await stand.ann.types(*words, *more)
            assert ended.out + ended.err, words
            search.add(f"clusterway {' '.join(words[:2])}", ended.out + ended.err)
    search.add("evidence.json", await asyncio.to_thread(file.read_text))


PLANTS = {
    "setting": "insert into setting (name, value) values ('canary', %(plain)s)",
    "plan": "update plan set observations = jsonb_build_object('a', %(plain)s::text)",
    "credential": "update credential set sealed = %(bytes)s where kind = 'password'",
    "job_evidence": "update job_evidence set document = %(packed)s",
    "cluster": "update cluster set labels = jsonb_build_array(%(base64)s::text)",
}
"""A table of each kind of column, and how a secret could lie in it."""


async def planted(stand: Any) -> None:
    """The search finds a secret in every kind of place, or it is worth nothing."""
    secret = 'Canary "planted" 8d1f'
    forms = {
        "plain": secret,
        "bytes": b"\1\2k1" + secret.encode(),
        "packed": zlib.compress(json.dumps({"a": secret}).encode()),
        "base64": base64.b64encode(b"x:" + secret.encode() + b":y").decode(),
    }
    url = plain_url(stand.house.service.database_url)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for table, statement in PLANTS.items():
            await connection.execute(statement, forms)
            found = Search({"planted": secret})
            await found.take_database(connection)
            assert found.leaks == [(f"table {table}", "planted")]
            await connection.rollback()
    for text in (f"x{secret}y", json.dumps({"a": secret}), quote(f"a={secret}"),
                 forms["base64"], secret.encode().hex()):  # fmt: skip
        found = Search({"planted": secret})
        found.add("log", text)
        assert found.leaks == [("log", "planted")], text
