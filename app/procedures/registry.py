"""All procedures by slug and all step handlers by kind."""

from __future__ import annotations

from collections.abc import Mapping

from app.procedures import add_peer, create_cluster
from app.procedures.base import Handler, Procedure
from app.procedures.steps import (
    attest,
    backup,
    calls,
    clustering,
    record,
    replication,
    reset,
    restart,
    review,
    settings,
)

PROCEDURES: Mapping[str, Procedure] = {
    procedure.slug: procedure for procedure in (create_cluster.PROCEDURE, add_peer.PROCEDURE)
}

_KINDS = (attest, backup, calls, clustering, record, replication, reset, restart, review, settings)

HANDLERS: Mapping[str, Handler] = {
    handler.kind: handler for module in _KINDS for handler in module.HANDLERS
}
