"""When a delivery that failed is tried again, and when it is given up. Pure."""

from __future__ import annotations

import random

from app.services.webhook_records import (
    TEST_TYPE,
    Delivery,
    DeliveryState,
    Result,
    Verdict,
)

MINUTE, HOUR = 60.0, 3600.0
PAUSES = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR,
          24 * HOUR)  # fmt: skip
"""Seconds between an attempt and the next: 11 attempts in about three days."""
JITTER = 0.2
"""By how much of itself a pause may be shorter or longer, so that receivers are not hit in step."""
LONGEST = 24 * HOUR
"""A receiver may ask to be left alone for that long by Retry-After."""


def verdict(delivery: Delivery, result: Result, draw: random.Random) -> Verdict:
    """What follows from an attempt: delivered, once more after a pause, or given up."""
    if result.error is None:
        return Verdict(DeliveryState.DELIVERED)
    if delivery.type == TEST_TYPE or result.gone or delivery.tries >= len(PAUSES):
        return Verdict(DeliveryState.FAILED)
    pause = PAUSES[delivery.tries] * draw.uniform(1 - JITTER, 1 + JITTER)
    asked = min(result.retry_after or 0.0, LONGEST)
    return Verdict(DeliveryState.PENDING, max(pause, asked))
