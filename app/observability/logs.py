"""Structured logs, one line per event, redacted before anything is written.

The standard library's records take the same way, so that a library that logs a header or a URL
with a password does not leak it. Every line of a request carries its `request_id`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from app.security.redaction import Redactor

_TALKATIVE = ("alembic", "asyncssh", "httpx", "httpcore", "procrastinate", "uvicorn")
"""Libraries that tell at INFO what an operator does not need every time."""


def set_up(
    redactor: Redactor, *, level: str = "INFO", as_json: bool = True, stream: TextIO | None = None
) -> None:
    """Send all logs, ours and libraries', to the stream (default: standard error)."""

    def redact(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        kept = {key: item for key, item in event.items() if key.startswith("_")}
        shown = redactor.tree({key: item for key, item in event.items() if key not in kept})
        return {**shown, **kept}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=lambda *_: None)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                redact,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
