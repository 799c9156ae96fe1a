"""When a job would run."""

from __future__ import annotations

from datetime import datetime

from pydantic import ConfigDict, Field

from app.api.v1.schemas.words import JOB, Told
from app.domain.forecast import Forecast


class ForecastRead(Told):
    """The earliest start and end of a job that has not begun."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "starts_at": "2026-03-07T21:00:00Z",
                    "ends_at": "2026-03-14T21:40:00Z",
                    "pauses": 1,
                    "behind": [JOB],
                    "unknown": ["step attest-firewall waits for an operator's word: firewall-open"],
                }
            ]
        }
    )

    starts_at: datetime | None = Field(description="Null: under these windows it never starts.")
    ends_at: datetime | None = Field(description="Null: under these windows it never ends.")
    pauses: int = Field(description="How often it would stop and go on in a later window.")
    behind: list[str] = Field(description="The jobs before it in line.")
    unknown: list[str] = Field(
        description="What may make it later and cannot be foretold; then the times are the "
        "earliest possible ones."
    )


def forecast_read(forecast: Forecast) -> ForecastRead:
    """As a reader sees it."""
    return ForecastRead(
        starts_at=forecast.starts_at,
        ends_at=forecast.ends_at,
        pauses=forecast.pauses,
        behind=list(forecast.behind),
        unknown=list(forecast.unknown),
    )
