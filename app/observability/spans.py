"""Spans of OpenTelemetry: a trace from a request to the commands sent to a device.

Only the API package is used here, which does nothing until `trace_with` is given a provider
(app.observability.tracing). A span carries ids, codes and names of commands; never a value that was
sent, and never the message of an exception, because either could hold a secret.

A job outlives its request and may change workers, so the context of the request that made it is
kept in the job's details (`TRACE`): whatever a worker does for it belongs to the same trace.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NoOpTracerProvider,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.appliance.trouble import trouble_with
from app.services.problems import Problem
from transports.errors import TransportError

P = ParamSpec("P")
R = TypeVar("R")
NAME = "clusterway"
TRACE = "trace"
"""Where a job's details keep the context of the request that made it."""

__all__ = [
    "TRACE",
    "Span",
    "SpanKind",
    "context_in",
    "failed",
    "inner",
    "now_traced",
    "span",
    "trace_with",
    "traced",
]  # fmt: skip

_PROPAGATOR = TraceContextTextMapPropagator()


class _Current:
    tracer: Tracer = NoOpTracerProvider().get_tracer(NAME)


def trace_with(provider: TracerProvider | None) -> None:
    """Have all spans of this process made by that provider from now on; None: by none."""
    _Current.tracer = (provider or NoOpTracerProvider()).get_tracer(NAME)


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, str | int | float] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    within: Context | None = None,
) -> Iterator[Span]:
    """A span around the block. `within` None: below the present one."""
    with _Current.tracer.start_as_current_span(
        name,
        context=within,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            failed(made, _code(error))
            raise


@contextmanager
def inner(
    name: str,
    attributes: Mapping[str, str | int | float] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span around the block where it is part of a trace; what polls by itself begins none."""
    if not get_current_span().is_recording():
        yield INVALID_SPAN
        return
    with span(name, attributes, kind=kind) as made:
        yield made


def traced(
    name: str,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Have every call of a coroutine function be a span, where it is part of a trace."""

    def around(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(function)
        async def call(*args: P.args, **more: P.kwargs) -> R:
            with inner(name):
                return await function(*args, **more)

        return call

    return around


def failed(made: Span, code: str) -> None:
    """Mark the span as failed, with a code for a reason."""
    made.set_status(StatusCode.ERROR, code)
    made.set_attribute("error.type", code)


def _code(error: BaseException) -> str:
    if isinstance(error, Problem):
        return error.code
    return trouble_with(error).code if isinstance(error, TransportError) else type(error).__name__


def now_traced() -> dict[str, Any]:
    """The present context as a job's details keep it; empty where nothing is traced."""
    carrier: dict[str, str] = {}
    if get_current_span().is_recording():
        _PROPAGATOR.inject(carrier)
    return {TRACE: carrier} if carrier else {}


def context_in(kept: Mapping[str, Any]) -> Context | None:
    """The context in a job's details, or in the headers of a request; None where it is not."""
    carrier = kept.get(TRACE, kept)
    known = {
        name: value
        for name in ("traceparent", "tracestate")
        if isinstance(value := carrier.get(name), str)
    }
    return _PROPAGATOR.extract(known, Context()) if "traceparent" in known else None
