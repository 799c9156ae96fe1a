"""Which scope every operation asks for. A new operation fails here until it has a line."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.security.keys import Scope
from tests.api.conftest import World
from tests.api.routes import EVERY, Operation
from tests.api.test_conventions import is_problem

pytestmark = pytest.mark.postgres

SCOPES = {
    "": ["getLiveness", "getReadiness"],
    "admin": [
        "createKey",
        "getJobHold",
        "getKey",
        "holdJobRecords",
        "listKeys",
        "releaseJobRecords",
        "revokeKey",
        "rotateKey",
        "skipStep",
        "updateKey",
    ],
    "backups:read": ["downloadJobBackup", "listBackups", "verifyBackup"],
    "backups:write": ["deleteBackup"],
    "metrics:read": ["getMetrics"],
    "approvals:decide": ["approveApproval", "rejectApproval"],
    "audit:read": ["listAudit"],
    "clusters:read": [
        "checkCluster",
        "checkClusterDns",
        "diagnoseCluster",
        "findAlarms",
        "getCluster",
        "getCredential",
        "getNeighbour",
        "getPeer",
        "getPeerCapabilities",
        "getPlan",
        "getPlanForecast",
        "getWindow",
        "listWindowOpenings",
        "listWindows",
        "getProcedure",
        "getSettingsMatrix",
        "getWatching",
        "listClusterEvents",
        "listClusterHistory",
        "listClusterPorts",
        "listClusters",
        "listCredentials",
        "listGuideRequirements",
        "listImages",
        "listNeighbours",
        "listPeers",
        "listPlans",
        "listProcedures",
        "lookUpNumber",
        "observeCluster",
        "observePeer",
        "plan*",
        "previewBulkJob",
        "reportCluster",
        "reportPlan",
    ],
    "clusters:write": [
        "acceptState",
        "createCluster",
        "createNeighbour",
        "createPeer",
        "createWindow",
        "deleteCluster",
        "deleteWindow",
        "replaceWindow",
        "importCluster",
        "deleteNeighbour",
        "replaceNeighbour",
        "deletePeer",
        "probePeer",
        "updateCluster",
        "updatePeer",
        "updateWatching",
    ],
    "credentials:write": ["createCredential", "deleteCredential", "rotateCredential"],
    "jobs:cancel": ["cancelBulkJob", "cancelJob"],
    "jobs:read": [
        "getBulkJob",
        "listBulkJobs",
        "previewCancelBulkJob",
        "getApproval",
        "getJob",
        "getJobForecast",
        "getSchedule",
        "listScheduleRuns",
        "listSchedules",
        "listUpcoming",
        "getJobEvidence",
        "getJobEvidencePage",
        "getJobObservations",
        "getJobRecovery",
        "getJobResult",
        "listApprovals",
        "listEvidenceKeys",
        "listJobApprovals",
        "listJobBackups",
        "listJobEvents",
        "listJobTranscript",
        "listJobs",
        "previewCancelJob",
    ],
    "webhooks:write": [
        "createWebhook",
        "deleteWebhook",
        "enableWebhook",
        "getDelivery",
        "getWebhook",
        "listDeliveries",
        "listWebhooks",
        "pauseWebhook",
        "replayDelivery",
        "rotateWebhookSecret",
        "testWebhook",
        "updateWebhook",
    ],
    "jobs:run": [
        "attestStep",
        "bulk*",
        "pauseJob",
        "pauseSchedule",
        "rerunJob",
        "resumeJob",
        "resumeSchedule",
        "retryJob",
        "schedule*",
        "start*",
        "stopSchedule",
    ],
}
"""Scope -> operations; `plan*`, `start*`, `schedule*` and `bulk*` are those of procedures."""
ALSO = {"createWebhook": "jobs:read"}
"""Operation -> what its example asks for beside: a subscription tells what its key may read."""


def expected(operation: Operation) -> str:
    name = operation.name
    if "/procedures/" in operation.path and operation.method == "POST":
        name = re.sub(r"^(plan|start|schedule|bulk).*", r"\1*", name)
    found = [scope for scope, names in SCOPES.items() if name in names]
    assert len(found) == 1, f"{name}: give it one line in SCOPES, with the scope it must ask for"
    return found[0]


@pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.name)
def test_every_operation_asks_for_its_scope(operation: Operation) -> None:
    assert operation.scope == expected(operation)
    assert bool(operation.scope) == (operation.path not in {"/livez", "/readyz"})


def test_no_line_of_the_table_is_left_over() -> None:
    there = {operation.name for operation in EVERY} | {"plan*", "start*", "schedule*", "bulk*"}
    assert {name for names in SCOPES.values() for name in names} <= there


async def test_a_key_that_holds_every_other_scope_is_refused_by_every_operation(
    world: World,
) -> None:
    for operation in EVERY:
        if not operation.scope:
            continue
        others = {scope.value for scope in Scope} - {operation.scope, "admin"}
        answer = await _ask(world, operation, await world.key(*sorted(others)))
        document = is_problem(answer, 403, "forbidden")
        assert document["scope"] == operation.scope, operation.name


async def test_a_key_that_holds_just_the_scope_passes_every_operation(world: World) -> None:
    keys = {scope.value: await world.key(scope.value) for scope in Scope}
    for operation in EVERY:
        if operation.scope:
            key = keys[operation.scope]
            if operation.name in ALSO:
                is_problem(await _ask(world, operation, key), 403, "forbidden")
                key = await world.key(operation.scope, ALSO[operation.name])
            answer = await _ask(world, operation, key)
            assert answer.status_code not in {401, 403, 405, 500}, (operation.name, answer.text)


async def test_no_operation_answers_without_a_key(world: World) -> None:
    for operation in EVERY:
        if operation.scope:
            is_problem(await _ask(world, operation, {}), 401, "unauthenticated")


async def _ask(world: World, operation: Operation, headers: dict[str, str]) -> Any:
    path = operation.at(**{name: f"{name}-1".replace("_", "-") for name in operation.parameters})
    return await world.anonymous.request(operation.method, path, **operation.request(headers))
