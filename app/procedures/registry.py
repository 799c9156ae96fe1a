"""All procedures by slug and all step handlers by kind."""

from __future__ import annotations

from collections.abc import Mapping

from app.procedures import (
    add_peer,
    align_clustering,
    backup,
    change_peer_address,
    change_primary,
    create_cluster,
    disband,
    force_config_update,
    maintenance_mode,
    recover_database,
    recover_removed_peer,
    remove_dead_peer,
    remove_peer,
    replace_peer,
    restart_peer,
    rotate_pre_shared_key,
    update_neighbours,
    upgrade,
)
from app.procedures.base import Handler, Procedure
from app.procedures.steps import (
    address,
    attest,
    calls,
    clustering,
    factory_reset,
    force_update,
    leaving,
    names,
    neighbours,
    primary,
    record,
    replication,
    reset,
    restart,
    restore,
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
        remove_peer.PROCEDURE,
        remove_dead_peer.PROCEDURE,
        recover_removed_peer.PROCEDURE,
        disband.PROCEDURE,
        change_primary.PROCEDURE,
        change_peer_address.PROCEDURE,
        replace_peer.PROCEDURE,
        backup.PROCEDURE,
        restart_peer.PROCEDURE,
        maintenance_mode.PROCEDURE,
        upgrade.PROCEDURE,
        force_config_update.PROCEDURE,
        align_clustering.PROCEDURE,
        recover_database.PROCEDURE,
        rotate_pre_shared_key.PROCEDURE,
        update_neighbours.PROCEDURE,
    )
}

_KINDS = (
    address,
    attest,
    backup_steps,
    calls,
    clustering,
    factory_reset,
    force_update,
    leaving,
    names,
    neighbours,
    primary,
    record,
    replication,
    reset,
    restart,
    restore,
    review,
    settings,
    software,
    time,
)

HANDLERS: Mapping[str, Handler] = {
    handler.kind: handler for module in _KINDS for handler in module.HANDLERS
}
