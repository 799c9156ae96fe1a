"""Standard Webhooks 1.0: who holds a secret can tell that a delivery is ours, whole and fresh."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A new secret as receivers enter it: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(
    event_id: str, at: datetime, body: str, signing: Sequence[str]
) -> dict[str, str]:
    """The three headers of a delivery, with a signature for each secret. `at` is in UTC."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(event_id, at, body) for secret in signing
        ),
    }
