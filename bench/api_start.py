"""Start a job with 30 steps, beside bare Starlette that says the same statements: `api-start`.

As api-read, with the same writes: plan, job, its 30 steps, its first event (with the triggers that
chain it and fill the outbox), wake-up, Idempotency-Key and audit row, under the same locks; each
start is of another cluster, and both sides have to have stored all of it. The procedure asks no
peer, so that is no part of it. The bare side makes no plan, checks nothing, and repeats a hash
where the service chains its audit.
"""

from __future__ import annotations

import asyncio

from bench.api import START, measure
from bench.command import benchmark

if __name__ == "__main__":
    benchmark("api-start", __doc__, lambda short: asyncio.run(measure(START, 10 if short else 150)))
