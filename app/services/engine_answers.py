"""What the engine refuses, as problems for callers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.engine.errors import (
    ClusterBusy,
    DecisionRefused,
    IllegalTransition,
    NoSuchGate,
    NoSuchJob,
    PeerBusy,
    SkipRefused,
)
from app.services.problems import Problem, not_found


@contextmanager
def answered() -> Iterator[None]:
    """Turn the engine's refusals inside the block into Problems."""
    try:
        yield
    except NoSuchJob as error:
        raise not_found("job", error.job_id) from error
    except NoSuchGate as error:
        raise Problem("illegal-transition", str(error), job_id=error.job_id) from error
    except IllegalTransition as error:
        raise Problem(
            "illegal-transition", str(error), job_id=error.job_id, legal=list(error.legal)
        ) from error
    except DecisionRefused as error:
        raise Problem(error.code, str(error), job_id=error.job_id) from error
    except SkipRefused as error:
        raise Problem("skip-refused", str(error), job_id=error.job_id, step=error.step) from error
    except ClusterBusy as error:
        raise Problem("cluster-busy", str(error), job_id=error.job_id) from error
    except PeerBusy as error:
        raise Problem(
            "peer-busy", str(error), job_id=error.job_id, peer_id=error.peer_id
        ) from error
