"""What holds for every request: problems, limits, ids, who is calling."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.problems import PROBLEMS
from tests.api.conftest import PASSWORD, World, peer_body

pytestmark = pytest.mark.postgres


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["type"] == f"/problems/{code}"
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


async def test_a_request_without_a_key_is_told_so_before_its_body_is_read(world: World) -> None:
    answer = await world.anonymous.post("/v1/peers", content=b"{not json", headers=JSON)
    is_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer cwk_000000000000_" + "a" * 43},
        {"Authorization": "Bearer \x00nonsense"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"X-API-Key": "cwk_short"},
    ],
)
async def test_a_key_that_is_not_ours_is_refused(world: World, headers: dict[str, str]) -> None:
    is_problem(await world.anonymous.get("/v1/peers", headers=headers), 401, "unauthenticated")


async def test_the_key_may_travel_in_a_header_of_its_own(world: World) -> None:
    key = world.client.headers["authorization"].removeprefix("Bearer ")
    answer = await world.anonymous.get("/v1/peers", headers={"X-API-Key": key})
    assert answer.status_code == 200


async def test_an_expired_key_is_refused(world: World) -> None:
    from dataclasses import replace
    from datetime import timedelta

    from app.security.keys import prefix_of

    headers = await world.key("clusters:read")
    assert (await world.anonymous.get("/v1/peers", headers=headers)).status_code == 200
    prefix = prefix_of(headers["Authorization"].removeprefix("Bearer "))
    async with world.parts.store.transaction() as tx:
        key = await tx.keys.find(prefix or "")
    assert key is not None
    text = headers["Authorization"].removeprefix("Bearer ")
    until = world.clock.now() + timedelta(hours=1)
    expiring = replace(key, limits=replace(key.limits, expires_at=until))
    assert expiring.proves(text, until - timedelta(seconds=1))
    assert not expiring.proves(text, until)


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("clusters:read", "POST", "/v1/peers/probe"),
        ("clusters:write", "GET", "/v1/peers"),
        ("jobs:read", "GET", "/v1/clusters"),
        ("clusters:read", "GET", "/v1/jobs"),
        ("clusters:write", "POST", "/v1/credentials"),
        ("jobs:read", "POST", "/v1/jobs/job-x/cancel"),
        ("jobs:cancel", "POST", "/v1/jobs/job-x/retry"),
    ],
)
async def test_a_key_may_do_what_its_scopes_say_and_no_more(
    world: World, scope: str, method: str, path: str
) -> None:
    body = {"transport": "ssh", "host": "192.0.2.1", "port": 22} if "probe" in path else None
    if "credentials" in path:
        body = {"name": "a", "secret": "long enough"}
    answer = await world.anonymous.request(method, path, headers=await world.key(scope), json=body)
    is_problem(answer, 403, "forbidden")


async def test_the_first_key_is_handed_out_once(world: World) -> None:
    assert await world.services.keys.first_key() is None


async def test_an_unknown_path_is_a_problem(world: World) -> None:
    is_problem(await world.client.get("/v1/nothing"), 404, "not-found")
    is_problem(await world.anonymous.get("/nothing"), 404, "not-found")


async def test_when_a_key_was_last_used_is_written_down(world: World) -> None:
    from datetime import timedelta

    from sqlalchemy import text

    async def last_used() -> Any:
        async with world.parts.store._engine.connect() as connection:
            return (await connection.execute(text("select last_used_at from api_key"))).scalar()

    assert await last_used() is None
    await world.client.get("/v1/peers")
    first = await last_used()
    await world.client.get("/v1/peers")
    assert await last_used() == first is not None
    world.clock.ahead = timedelta(minutes=2)
    await world.client.get("/v1/peers")
    assert await last_used() > first


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"name": NaN}', b'{"name": "\\ud800"}', b"\xff"])
async def test_no_body_is_strange_enough_to_break_the_service(world: World, body: bytes) -> None:
    is_problem(
        await world.client.post("/v1/clusters", content=body, headers=JSON), 422, "invalid-request"
    )


async def test_a_slash_too_many_is_not_redirected(world: World) -> None:
    is_problem(await world.client.get("/v1/peers/"), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/peers", "GET, POST"),
        ("/v1/peers/peer-1", "GET, PATCH, DELETE"),
        ("/v1/credentials/c/secret", "PUT"),
        ("/v1/jobs/job-1/cancel", "GET, POST"),
        ("/v1/clusters/import", "POST"),
        ("/livez", "GET"),
        ("/v1/bulk-jobs/preview", "POST"),
    ],
)
async def test_a_405_names_every_method_the_path_knows(
    world: World, path: str, allowed: str
) -> None:
    answer = await world.client.request("TRACE", path)
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


JSON = {"Content-Type": "application/json"}


async def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(world: World) -> None:
    document = is_problem(
        await world.client.post("/v1/peers", content=b"x" * 70_000, headers=JSON),
        413,
        "body-too-large",
    )
    assert document["limit"] == 65536


async def test_a_body_of_unsaid_length_is_counted(world: World) -> None:
    async def pieces() -> Any:
        for _ in range(70):
            yield b" " * 1000

    answer = await world.client.post("/v1/peers", content=pieces(), headers=JSON)
    is_problem(answer, 413, "body-too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_is_refused(world: World, kind: str) -> None:
    answer = await world.client.post("/v1/peers", content=b"{}", headers={"Content-Type": kind})
    is_problem(answer, 415, "unsupported-media-type")


async def test_a_misspelt_field_is_named_by_its_pointer(world: World) -> None:
    answer = await world.client.post("/v1/clusters", json={"nmae": "cluster.example.com"})
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/name", "missing"),
        ("/nmae", "extra-forbidden"),
    }


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "secret": PASSWORD, "kind": "nonsense"},
        {"secret": PASSWORD},
        {"name": 4, "secret": {"inner": PASSWORD}},
        {"name": "x", "secret": PASSWORD + "\x00"},
        {"name": "x", "secret": PASSWORD * 100},
        [PASSWORD],
        PASSWORD,
    ],
)
async def test_a_refused_body_is_never_repeated_in_the_answer(world: World, body: Any) -> None:
    answer = await world.client.post("/v1/credentials", json=body)
    is_problem(answer, 422, "invalid-request")
    assert PASSWORD not in answer.text


async def test_broken_json_is_not_repeated_either(world: World) -> None:
    answer = await world.client.post(
        "/v1/credentials", content=f'{{"secret": "{PASSWORD}"'.encode(), headers=JSON
    )
    errors = is_problem(answer, 422, "invalid-request")["errors"]
    assert errors == [{"code": "json-invalid", "detail": "the body is not JSON", "pointer": ""}]


async def test_an_unforeseen_error_is_a_500_with_an_id_that_is_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(type(world.services.peers), "page", broken)
    answer = await world.client.get("/v1/peers", headers={"X-Request-ID": "my-request-1"})
    document = is_problem(answer, 500, "internal-error")
    assert document["request_id"] == "my-request-1"
    assert "secret detail" not in answer.text
    logged = [json.loads(line) for line in world.logs.getvalue().splitlines()]
    assert [line["request_id"] for line in logged if line["level"] == "error"] == ["my-request-1"]
    assert "RuntimeError" in world.logs.getvalue()


async def test_a_database_that_is_away_is_a_503_with_a_time_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    nowhere = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    monkeypatch.setattr(world.parts.store, "_engine", nowhere)
    answer = await world.client.get("/v1/peers")
    is_problem(answer, 503, "storage-unavailable")
    assert answer.headers["retry-after"] == "5"
    is_problem(await world.anonymous.get("/readyz"), 503, "storage-unavailable")
    assert (await world.anonymous.get("/livez")).json() == {"status": "ok"}


async def test_a_service_with_its_database_is_ready(world: World) -> None:
    assert (await world.anonymous.get("/readyz")).status_code == 200


async def test_a_strange_request_id_is_not_taken_over(world: World) -> None:
    answer = await world.client.get("/v1/peers", headers={"X-Request-ID": "a b\tc" * 30})
    assert re.fullmatch(r"req-[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_every_problem_has_a_page(world: World) -> None:
    for code, kind in PROBLEMS.items():
        page = await world.anonymous.get(f"/problems/{code}")
        assert page.status_code == 200
        assert escape(kind.title) in page.text
    is_problem(await world.anonymous.get("/problems/none"), 404, "not-found")
    assert (await world.anonymous.get("/problems")).text.count("<tr>") == len(PROBLEMS)


def test_every_code_that_services_answer_with_is_in_the_registry() -> None:
    used: set[str] = set()
    for folder in ("app/services", "app/storage", "app/api"):
        for file in Path(folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            used |= set(re.findall(r'Problem\(\s*"([a-z-]+)"', text))
            used |= set(re.findall(r'^    "\w+": \("([a-z-]+)", "', text, re.M))
    assert len(used) > 15
    assert used <= set(PROBLEMS), used - set(PROBLEMS)


def test_the_list_of_problems_in_the_docs_is_the_registry() -> None:
    from app.api.problems import markdown

    assert Path("docs/problems.md").read_text(encoding="utf-8") == markdown()


async def test_the_reading_of_the_document_needs_nothing_from_elsewhere(world: World) -> None:
    page = (await world.anonymous.get("/docs")).text
    assert "startCreateCluster" not in page  # people read titles and paths
    assert "/v1/clusters/{cluster_id}/procedures/create-cluster" in page
    assert "src=" not in page
    assert "http://" not in page
    # Examples name hosts of example.com, which is reserved for that (RFC 2606).
    assert "https://" not in re.sub(r"https://(\w+\.)?example\.com\b", "", page)


async def test_lists_go_on_where_they_stopped(world: World) -> None:
    credential = await world.credential()
    for number in range(1, 6):
        body = peer_body(credential["id"], f"exp{number}", f"192.0.2.{number}")
        assert (await world.client.post("/v1/peers", json=body)).status_code == 201
    names: list[str] = []
    url: str | None = "/v1/peers?limit=2"
    pages = 0
    while url is not None:
        answer = await world.client.get(url)
        names += [item["name"] for item in answer.json()["items"]]
        pages += 1
        link = answer.links.get("next", {}).get("url")
        assert (link is None) == (answer.json()["next_cursor"] is None)
        url = link
    assert names == ["exp1", "exp2", "exp3", "exp4", "exp5"]
    assert pages == 3


@pytest.mark.parametrize("cursor", ["abc", "____", "AAAA"])
@pytest.mark.parametrize("path", ["/v1/peers", "/v1/clusters", "/v1/credentials", "/v1/jobs"])
async def test_a_made_up_cursor_is_refused(world: World, cursor: str, path: str) -> None:
    is_problem(await world.client.get(path, params={"cursor": cursor}), 422, "invalid-cursor")


async def test_answers_are_not_kept_by_caches(world: World) -> None:
    answer = await world.client.get("/v1/peers")
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.text)["items"] == []
