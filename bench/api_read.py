"""GET a job with 30 steps, beside bare Starlette that says the same statements: `api-read`.

The statements are those that the service was heard to say for one such request: the look-up of the
key and the job with its steps, statements and approvals. What the bare side does not do, and the
ratio is therefore the price of: proving the key, counting requests, the request's log line and
metrics, hardening of headers, and making the answer: it sends the bytes of the recorded one.
"""

from __future__ import annotations

import asyncio

from bench.api import READ, measure
from bench.command import benchmark

if __name__ == "__main__":
    benchmark("api-read", __doc__, lambda short: asyncio.run(measure(READ, 20 if short else 600)))
