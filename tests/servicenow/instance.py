"""The ServiceNow side of the tests: changes with states and windows, flows that wait, one receiver.

It behaves as the public documentation says (docs/servicenow/README.md names the pages): the state
model of changes, approvals by approver records, a Scripted REST resource that runs the kit's own
script, Wait For Message. People and webhooks reach it over HTTP on loopback.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from tests.servicenow.scripts import run

NEW, ASSESS, AUTHORIZE, SCHEDULED, IMPLEMENT, REVIEW, CLOSED, CANCELLED = (
    "-5", "-4", "-3", "-2", "-1", "0", "3", "4",
)  # fmt: skip
FOLLOWS = {
    NEW: {ASSESS, CANCELLED},
    ASSESS: {AUTHORIZE, NEW, CANCELLED},
    AUTHORIZE: {SCHEDULED, NEW, CANCELLED},
    SCHEDULED: {IMPLEMENT, CANCELLED},
    IMPLEMENT: {REVIEW, CANCELLED},
    REVIEW: {CLOSED},
    CLOSED: set(),
    CANCELLED: set(),
}
"""Normal changes progress through all states; Review and Closed cannot be cancelled."""
INBOUND_KEY = "inbound-key-1"
EVENTS = "/api/x_clusterway/events"


@dataclass
class Instance:
    """The records of one instance."""

    secrets: str = ""
    now: str | None = None
    """What its clock shows to scripts, UTC; None: the real time."""
    changes: dict[str, dict[str, str]] = field(default_factory=dict)
    approvers: list[dict[str, str]] = field(default_factory=list)
    attachments: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tables: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    """What flows were sent, every time."""
    _mail: dict[tuple[str, str], asyncio.Future[str]] = field(default_factory=dict)

    async def wait_for_message(self, context: str, message: str, seconds: float) -> str | None:
        """The Wait For Message action: the payload, or None when its time-out is over."""
        waiting = self._mail.setdefault((context, message), asyncio.Future())
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(waiting), seconds)
        return None

    async def take(self, headers: dict[str, str], body: str) -> int:
        """Run the Scripted REST resource on one request; its status."""
        done = await run(
            "receiver.js",
            request={"headers": headers, "body": body},
            properties={"x_clusterway.webhook_secrets": self.secrets},
            tables=self.tables,
        )
        self.tables, self.logs = done.tables, [*self.logs, *done.logs]
        self.messages += done.messages
        for sent in done.messages:
            future = self._mail.setdefault((sent["context"], sent["message"]), asyncio.Future())
            if not future.done():
                future.set_result(sent["payload"])
        assert done.status is not None
        self.answers.append(done.status)
        return done.status

    async def gate(self, sys_id: str) -> dict[str, Any]:
        """Run the change gate on a change."""
        rows = [{"sys_id": key, **row} for key, row in self.changes.items()]
        done = await run(
            "change_gate.js", inputs={"change": sys_id}, now=self.now,
            tables={"change_request": rows},
        )  # fmt: skip
        return done.outputs

    def decide(self, sys_id: str, by: str, state: str) -> None:
        """What an approver says: all approved is approved, one rejection sends it back to New."""
        self.approvers.append({"sysapproval": sys_id, "approver": by, "state": state})
        change = self.changes[sys_id]
        change["approval"] = state
        self.move(sys_id, SCHEDULED if state == "approved" else NEW)

    def move(self, sys_id: str, state: str) -> bool:
        """Move a change, if the state model lets it."""
        if state not in FOLLOWS[self.changes[sys_id]["state"]]:
            return False
        self.changes[sys_id]["state"] = state
        return True

    def api(self) -> FastAPI:
        """How people and webhooks reach it."""
        app = FastAPI()

        @app.post("/api/now/table/change_request", status_code=201)
        async def create(request: Request) -> dict[str, Any]:
            sys_id = f"{len(self.changes) + 1:032x}"
            row = {"number": f"CHG{len(self.changes) + 31234:07}", "state": NEW}
            self.changes[sys_id] = {"approval": "not requested", **row, **await request.json()}
            return {"result": {"sys_id": sys_id, **self.changes[sys_id]}}

        @app.patch("/api/now/table/change_request/{sys_id}")
        async def update(sys_id: str, request: Request) -> Response:
            asked = await request.json()
            state = asked.pop("state", None)
            if state is not None and not self.move(sys_id, state):
                return Response(status_code=403)
            self.changes[sys_id] |= asked
            return Response(json.dumps({"result": self.changes[sys_id]}))

        @app.post("/api/now/table/sysapproval_approver")
        async def approve(request: Request) -> Response:
            said = await request.json()
            self.decide(said["sysapproval"], said["approver"], said["state"])
            return Response(status_code=201)

        @app.post(EVENTS)
        async def events(request: Request) -> Response:
            if request.headers.get("x-sn-apikey") != INBOUND_KEY:
                return Response(status_code=401)
            body = (await request.body()).decode()
            return Response(status_code=await self.take(dict(request.headers), body))

        return app


@asynccontextmanager
async def serving(app: Any, port: int = 0) -> AsyncIterator[int]:
    """An application on a loopback port, while the block lasts."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, lifespan="off", log_config=None, ws="none",
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    running = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        while not server.started:
            assert not running.done(), "the server did not start"
            await asyncio.sleep(0.01)
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        socket.close()
