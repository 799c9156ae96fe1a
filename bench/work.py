"""What every side of a comparison does alike: read its work, measure it, tell.

Standard library only, because peers' sides run where nothing of the service is installed.
"""

from __future__ import annotations

import hashlib
import json
import resource
import ssl
import sys
import time
from collections.abc import Iterable
from typing import Any, Self


def given() -> Any:
    """The work, as the benchmark asked for it."""
    return json.load(sys.stdin)


class Measured:
    """`with Measured() as cost: ...`: what the block took, with the processes it waited for.

    `seconds` on the wall, `cpu` in seconds of this process and its children.
    """

    seconds = 0.0
    cpu = 0.0

    def __enter__(self) -> Self:
        self._began, self._cpu = time.perf_counter(), _cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu = _cpu() - self._cpu


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def tell(cost: Measured, **proof: Any) -> None:
    """The last line of a side: what it took, and what proves that it did the whole work."""
    print(json.dumps({"seconds": cost.seconds, "cpu": cost.cpu, **proof}), flush=True)


def digest(lines: Iterable[str]) -> str:
    """How many lines there are and what they say, in any order."""
    ordered = sorted(lines)
    return f"{len(ordered)} {hashlib.sha256(chr(10).join(ordered).encode()).hexdigest()}"


def record(name: str, kind: str, data: str) -> str:
    """A DNS record as one line, however a side spells its name."""
    return f"{name.rstrip('.').casefold()} {kind} {data}"


class Replies:
    """What command lines answered, counted as documents are: replies, values, serial numbers."""

    def __init__(self) -> None:
        self.replies = self.values = 0
        self._serials: list[str] = []

    def take(self, text: str) -> None:
        """One reply; its echo is no part of it."""
        self.replies += 1
        for line in text.splitlines():
            if line.startswith(("*c ", "*s ", " ")) and not line.endswith(": /"):
                self.values += 1
                name, _, value = line.strip().partition(": ")
                if name == "SerialNumber":
                    self._serials.append(value.strip('"'))

    def proof(self) -> dict[str, Any]:
        """For `tell`."""
        return {
            "replies": self.replies,
            "values": self.values,
            "serials": digest(self._serials),
        }


class Statuses:
    """What web servers answered, counted as documents are."""

    def __init__(self) -> None:
        self.replies = self.zones = self.bytes = 0

    def take(self, status: int, body: bytes) -> None:
        """One reply."""
        if status != 200:
            raise RuntimeError(f"answered {status}")
        self.replies += 1
        self.zones += body.count(b"<Zone item=")
        self.bytes += len(body)

    def proof(self) -> dict[str, Any]:
        """For `tell`."""
        return {"replies": self.replies, "zones": self.zones, "bytes": self.bytes}


def pinned(certificate: str) -> ssl.SSLContext:
    """Trusts this one certificate; its name is that of an appliance and not of loopback."""
    context = ssl.create_default_context(cadata=certificate)
    context.check_hostname = False
    return context
