"""What a constraint of the database forbids, said as the problem it means to a caller."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.services.problems import Problem

_MEANING = {
    "credential_name": ("name-taken", "a credential has this name already"),
    "api_key_name": ("name-taken", "a key has this name already"),
    "peer_name": ("name-taken", "a peer has this name already"),
    "peer_address": ("address-taken", "a peer with this address is registered already"),
    "cluster_name": ("name-taken", "a cluster has this name already"),
    "webhook_name": ("name-taken", "a subscription has this name already"),
    "neighbour_name": ("name-taken", "the cluster has a neighbour of this name already"),
    "maintenance_window_name": ("name-taken", "a window has this name already"),
    "schedule_name": ("name-taken", "a schedule has this name already"),
    "cluster_member_peer": ("peer-in-cluster", "a peer is a member of another cluster"),
}


def meaning(error: IntegrityError) -> Problem | None:
    """The problem behind an integrity error; None where the error is a fault of ours."""
    diagnosis = getattr(error.orig, "diag", None)
    found = _MEANING.get(getattr(diagnosis, "constraint_name", None) or "")
    return None if found is None else Problem(*found)


async def flushed(session: AsyncSession) -> None:
    """Send what is pending now, so that a constraint speaks here. Raises Problem."""
    try:
        await session.flush()
    except IntegrityError as error:
        problem = meaning(error)
        if problem is None:
            raise
        raise problem from error
