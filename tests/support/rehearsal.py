"""A whole service in one process without a database; lives in `simulation.rehearsal`."""

from simulation.rehearsal import (
    CLUSTER,
    KEY,
    BuildAppliance,
    MemoryBackups,
    MemoryRegistry,
    Rehearsal,
    WorkerDied,
)

__all__ = [
    "CLUSTER",
    "KEY",
    "BuildAppliance",
    "MemoryBackups",
    "MemoryRegistry",
    "Rehearsal",
    "WorkerDied",
]
