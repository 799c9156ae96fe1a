"""What docs/webhooks.md tells receivers to do is done here, on what this service sends."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.services.webhook_records import BodyFormat, EventType
from app.webhooks.payload import Composer
from app.webhooks.schedule import PAUSES
from app.webhooks.sending import LIMIT_SECONDS
from app.webhooks.signing import new_secret, signed_headers
from tests.support.claims import Desk, delivery
from tests.support.ports import free_port

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
SECRET = new_secret()


def block(name: str) -> str:
    found = re.search(rf"<!-- tested: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    return found.group(1)


def message(at: datetime | None = None, secret: str = SECRET) -> tuple[dict[str, str], str]:
    body = Composer(Desk().redactor).body(delivery(), BodyFormat.STANDARD)
    return signed_headers("job-1-12", at or datetime.now(UTC), body, [new_secret(), secret]), body


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block("receiver"), str(PAGE), "exec"), names)
    return names


def verdict(page: dict[str, Any], headers: dict[str, str], body: str) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        return page["verdict"](headers, body.encode()), said.getvalue()


def test_the_documented_receiver_takes_what_is_sent_once(page: dict[str, Any]) -> None:
    headers, body = message()
    assert verdict(page, headers, body) == (204, f"took job-1-12 {body}\n")
    assert verdict(page, headers, body) == (204, ""), "a replayed delivery was acted on"


def test_the_documented_receiver_refuses_what_is_altered_old_or_not_ours(
    page: dict[str, Any],
) -> None:
    headers, body = message()
    old, _ = message(datetime.now(UTC) - timedelta(minutes=6))
    early, _ = message(datetime.now(UTC) + timedelta(minutes=6))
    foreign, _ = message(secret=new_secret())
    now = str(int(time.time()))
    for refused, sent in (
        (headers, body.replace("succeeded", "failed")),
        (headers, body + " "),
        (old, body),
        (early, body),
        (foreign, body),
        ({**headers, "webhook-id": "job-1-13"}, body),
        ({**old, "webhook-timestamp": now}, body),
        ({**headers, "webhook-signature": ""}, body),
        ({**headers, "webhook-signature": "v1,ü v2,"}, body),
        ({}, body),
    ):
        assert verdict(page, refused, sent) == (401, ""), refused
    assert page["seen"] == set()


@pytest.mark.parametrize(
    ("minutes", "altered", "said"),
    [(0, False, "good"), (0, True, "bad"), (-6, False, "too old"), (6, False, "too old")],
)
def test_the_shell_lines_say_so_too(minutes: int, altered: bool, said: str, tmp_path: Path) -> None:
    headers, body = message(datetime.now(UTC) + timedelta(minutes=minutes))
    file = tmp_path / "body"
    file.write_text(body + " " * altered)
    done = subprocess.run(
        ["sh", "-c", block("shell")],
        env={
            "PATH": os.environ["PATH"],
            "WEBHOOK_SECRET": SECRET,
            "ID": headers["webhook-id"],
            "AT": headers["webhook-timestamp"],
            "SIGNATURE": headers["webhook-signature"],
            "BODY_FILE": str(file),
        },
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == (said, 0 if said == "good" else 1), done.stderr


@pytest.mark.sockets
async def test_the_documented_receiver_runs_and_is_sent_to(tmp_path: Path) -> None:
    script = tmp_path / "receiver.py"
    script.write_text(block("receiver"))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(port),
        env={**os.environ, "WEBHOOK_SECRET": SECRET}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
            good, wrong = Desk(secrets=[SECRET]), Desk()
            url = f"http://127.0.0.1:{port}/"
            assert (await good.sender().send(good.claim(url))).status == 204
            assert (await good.sender().send(good.claim(url))).status == 204
            assert (await wrong.sender().send(wrong.claim(url))).status == 401
            assert (await process.stdout.readline()).startswith(b"took job-1-12 {")
    finally:
        process.terminate()
        await process.wait()
    assert await process.stdout.read() == b"", "a double was acted on"


def test_the_page_says_what_the_code_says() -> None:
    text = " ".join(PAGE.read_text().split())
    for kind in EventType:
        assert f"`{kind}`" in text
    assert f"2xx within {LIMIT_SECONDS:g} seconds" in text
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    shown = [
        next(f"{pause / size:g} {unit}" for size, unit in units if pause >= size and unit != "d")
        for pause in PAUSES
    ]
    assert f"{', '.join(shown[:-1])} and {shown[-1]}" in text
