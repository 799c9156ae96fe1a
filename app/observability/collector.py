"""The SDK of OpenTelemetry, which is an extra: imported only where traces are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app.observability.spans import NAME


def provider(environment: Mapping[str, str]) -> TracerProvider:
    """Sends spans in batches by OTLP over HTTP; the SDK reads the other `OTEL_*` itself."""
    about = {
        SERVICE_NAME: environment.get("OTEL_SERVICE_NAME", "").strip() or NAME,
        SERVICE_VERSION: version("clusterway"),
    }
    made = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made
