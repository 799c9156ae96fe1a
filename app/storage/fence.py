"""The fence of writes that are not the journal's own: registry, backups.

A step also writes outside its job: who is in the cluster, where a peer lives, a backup. Such a
write must not outlive the lease of the worker that makes it, so each looks at owner and epoch in
its own transaction and keeps the job's row as it is until that ends. A worker whose job was taken
meanwhile writes nothing; one who wants the job meanwhile comes behind the write.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from app.engine.errors import LeaseLost
from app.engine.records import Lease

_DEMAND = b"""
select from job where id = %(job)s and owner = %(owner)s and epoch = %(epoch)s for share
"""


async def demand(connection: AsyncConnection[Any], lease: Lease) -> None:
    """Keep the lease good until the open transaction ends. Raises LeaseLost where it is not."""
    values = {"job": lease.job_id, "owner": lease.owner, "epoch": lease.epoch}
    if (await connection.execute(_DEMAND, values)).rowcount != 1:
        raise LeaseLost(f"job {lease.job_id} is no longer ours")
