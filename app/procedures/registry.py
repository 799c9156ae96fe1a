"""All procedures by slug and all step handlers by kind."""

from __future__ import annotations

from collections.abc import Mapping

from app.procedures import (
    add_peer,
    align_clustering,
    backup,
    create_cluster,
    force_config_update,
    maintenance_mode,
    restart_peer,
    upgrade,
)
from app.procedures.base import Handler, Procedure
from app.procedures.steps import (
    attest,
    calls,
    clustering,
    force_update,
    record,
    replication,
    reset,
    restart,
    review,
    settings,
    software,
    time,
)
from app.procedures.steps import backup as backup_steps

PROCEDURES: Mapping[str, Procedure] = {
    procedure.slug: procedure
    for procedure in (
        create_cluster.PROCEDURE,
        add_peer.PROCEDURE,
        backup.PROCEDURE,
        restart_peer.PROCEDURE,
        maintenance_mode.PROCEDURE,
        upgrade.PROCEDURE,
        force_config_update.PROCEDURE,
        align_clustering.PROCEDURE,
    )
}

_KINDS = (
    attest,
    backup_steps,
    calls,
    clustering,
    force_update,
    record,
    replication,
    reset,
    restart,
    review,
    settings,
    software,
    time,
)

HANDLERS: Mapping[str, Handler] = {
    handler.kind: handler for module in _KINDS for handler in module.HANDLERS
}
