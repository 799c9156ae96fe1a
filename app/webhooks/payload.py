"""What a receiver reads: an event in the words of API.md, plain or as CloudEvents 1.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.security.redaction import Redactor
from app.services.webhook_records import BodyFormat, Delivery, EventType

CONTENT_TYPES = {
    BodyFormat.STANDARD: "application/json",
    BodyFormat.CLOUDEVENTS: "application/cloudevents+json",
}

_LED_OUT_OF = frozenset({EventType.JOB_FAILED, EventType.JOB_CANCELLED})
"""Ends after which the service can say what leads to a consistent cluster."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Writes bodies. `base`: how callers reach this service, for links; may be empty."""

    redactor: Redactor
    base: str = ""

    def body(self, delivery: Delivery, form: BodyFormat) -> str:
        """The body, the same text at every attempt."""
        data = self._data(delivery)
        at = _text(delivery.at)
        if form is BodyFormat.STANDARD:
            whole: dict[str, Any] = {"type": delivery.type, "timestamp": at, "data": data}
        else:
            whole = {
                "specversion": "1.0",
                "id": delivery.event_id,
                "source": self.base + _source(delivery),
                "type": delivery.type,
                "subject": delivery.job_id
                or delivery.cluster_id
                or _bulk(delivery)
                or delivery.event_id,
                "time": at,
                "datacontenttype": "application/json",
                "data": data,
            }
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))

    def _data(self, delivery: Delivery) -> Mapping[str, Any]:
        payload = delivery.payload
        data: dict[str, Any] = {"event_id": delivery.event_id, "seq": delivery.seq}
        if delivery.cluster_id is not None:
            data["cluster_id"] = delivery.cluster_id
        bulk_id = _bulk(delivery)
        if delivery.job_id is not None or bulk_id is not None:
            data |= {
                "procedure": payload.get("procedure"),
                # The caller's own block, untouched: it is how a waiting flow is found again.
                "correlation": payload.get("correlation"),
                "change": payload.get("change"),
            }
        if delivery.job_id is not None:
            data |= {"job_id": delivery.job_id, "links": self._job_links(delivery)}
        elif bulk_id is not None:
            here = f"{self.base}/v1/bulk-jobs/{bulk_id}"
            data |= {"bulk_job_id": bulk_id, "links": {"bulk_job": here}}
        elif delivery.cluster_id is not None:
            data["links"] = {"cluster": f"{self.base}/v1/clusters/{delivery.cluster_id}"}
        data["event"] = self.redactor.tree(payload.get("event", {}))
        return data

    def _job_links(self, delivery: Delivery) -> Mapping[str, str]:
        here = f"{self.base}/v1/jobs/{delivery.job_id}"
        links = {"job": here, "result": f"{here}/result", "evidence": f"{here}/evidence"}
        if delivery.type in _LED_OUT_OF:
            links["recovery"] = f"{here}/recovery"
        return links


def _source(delivery: Delivery) -> str:
    if delivery.job_id is not None:
        return f"/v1/jobs/{delivery.job_id}"
    if delivery.cluster_id is not None:
        return f"/v1/clusters/{delivery.cluster_id}"
    if (bulk_id := _bulk(delivery)) is not None:
        return f"/v1/bulk-jobs/{bulk_id}"
    return f"/v1/webhooks/{delivery.webhook_id}"


def _bulk(delivery: Delivery) -> str | None:
    """The bulk job that it tells of."""
    return delivery.payload.get("bulk_job_id")


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
