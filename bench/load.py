"""Requests at a fixed concurrency over kept connections, and how long each took."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """Requests a second, and milliseconds by the half and the 99th of a hundred."""

    rate: float
    median: float
    p99: float


async def load(
    port: int, request: Callable[[int], bytes], *, requests: int, side_by_side: int, status: int
) -> Load:
    """So many requests. Raises RuntimeError where one is answered otherwise or with nothing."""
    numbers = iter(range(requests))
    spent: list[float] = []

    async def one_connection() -> None:
        incoming, outgoing = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            begin = time.perf_counter()
            outgoing.write(request(number))
            head = await incoming.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            length = int(lowered.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await incoming.readexactly(length)
            spent.append((time.perf_counter() - begin) * 1000)
            if int(head.split(None, 2)[1]) not in (200, status) or length < 100:
                raise RuntimeError((head + body).decode())
        outgoing.close()

    began = time.monotonic()
    async with asyncio.TaskGroup() as connections:
        for _ in range(side_by_side):
            connections.create_task(one_connection())
    took = time.monotonic() - began
    ordered = sorted(spent)
    return Load(requests / took, statistics.median(ordered), ordered[int(len(ordered) * 0.99)])


def message(method: str, path: str, key: str, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
