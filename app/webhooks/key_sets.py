"""Fetches the JWK sets of token issuers, over the same guarded wire that webhooks go by."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.security.receivers import ReceiverRefused
from app.security.tokens import Issuer, KeySetUnusable
from app.webhooks.bounded import TooLong, read_at_most
from app.webhooks.sending import Wire

MOST_BYTES = 262_144
LIMIT_SECONDS = 5.0
"""One fetch, from the look-up of the name to the last byte."""


@dataclass(frozen=True, slots=True)
class KeySetFetcher:
    """Implements `app.services.tokens.Fetch`. The wire's guard says where it may go."""

    wire: Wire
    limit: float = LIMIT_SECONDS

    async def __call__(self, issuer: Issuer) -> bytes:
        """The issuer's key set. Raises KeySetUnusable, whatever goes wrong."""
        try:
            async with asyncio.timeout(self.limit):
                if issuer.jwks_file is not None:
                    return await asyncio.to_thread(_read, issuer.jwks_file)
                bundle = ""
                if issuer.ca_bundle is not None:
                    bundle = (await asyncio.to_thread(_read, issuer.ca_bundle)).decode()
                return await self._get(issuer.jwks_url or "", bundle)
        except (TimeoutError, httpx.TimeoutException):
            raise KeySetUnusable("it took too long") from None
        except ReceiverRefused as refused:
            raise KeySetUnusable(f"the address {refused}") from None
        except TooLong:
            raise KeySetUnusable(f"it has more than {MOST_BYTES} bytes") from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise KeySetUnusable(f"it was not to be had ({type(error).__name__})") from None

    async def _get(self, url: str, ca_bundle: str) -> bytes:
        headers = {"Accept": "application/jwk-set+json, application/json"}
        async with self.wire.get(url, headers, ca_bundle) as answer:
            if answer.status_code != 200:
                raise KeySetUnusable(f"the answer was {answer.status_code}")
            return await read_at_most(MOST_BYTES, answer.aiter_raw())


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise TooLong
    return text
