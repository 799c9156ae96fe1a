"""Sends spans to a collector, where the standard `OTEL_*` variables ask for that.

Off by default. The SDK and its exporter (OTLP over HTTP) are the extra `clusterway[otel]`, because
they bring protobuf along. Traces only: metrics are read at /metrics, and logs go to standard error;
their export is never switched on here, whatever the variables say.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from app.observability.spans import trace_with

log = logging.getLogger(__name__)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces: an endpoint is named and nothing is switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    return exporter == "otlp" and any(environment.get(name, "").strip() for name in _ENDPOINTS)


@asynccontextmanager
async def exporting(environment: Mapping[str, str] | None = None) -> AsyncIterator[None]:
    """Spans go to the collector while the block lasts; what is left is sent at its end."""
    given = os.environ if environment is None else environment
    if not wanted(given):
        yield
        return
    try:
        from app.observability.collector import provider  # noqa: PLC0415 - an extra, often absent
    except ImportError:
        log.warning("traces are asked for and cannot be sent: install clusterway[otel]")
        yield
        return
    made = provider(given)
    trace_with(made)
    try:
        yield
    finally:
        trace_with(None)
        # Blocks until the last spans are sent, or the exporter gives up.
        await asyncio.to_thread(made.shutdown)
