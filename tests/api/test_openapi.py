"""The OpenAPI documents: what is committed is what the code makes, and it is valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from app.api.offline import offline_api
from app.api.openapi import OPEN_PATHS, documents, to_3_0, written
from app.api.v1.webhook_messages import WebhookData, WebhookMessage
from app.procedures.registry import PROCEDURES
from app.security.redaction import Redactor
from app.services.webhook_records import TEST_TYPE, BodyFormat, EventType
from app.webhooks.payload import Composer
from tests.support.claims import delivery

FOLDER = Path("openapi")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return offline_api().openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


@pytest.mark.parametrize("name", ["openapi.json", "openapi-3.0.json", "openapi-flow.json"])
def test_the_committed_documents_are_what_the_code_makes(name: str) -> None:
    committed = (FOLDER / name).read_text(encoding="utf-8")
    made = written(documents(offline_api())[name])
    assert committed == made, "run: python -m app.api.openapi"


def test_all_documents_are_valid() -> None:
    made = documents(offline_api())
    newest = made.pop("openapi.json")
    assert [str(error) for error in OpenAPIV31SpecValidator(newest).iter_errors()] == []
    for older in made.values():
        assert [str(error) for error in OpenAPIV30SpecValidator(older).iter_errors()] == []


def test_the_flat_document_has_nothing_that_low_code_importers_cannot_read(
    document: dict[str, Any],
) -> None:
    flat = documents(offline_api())["openapi-flow.json"]
    words = {word for node in reach(flat["paths"], flat) for word in node}
    assert not words & {"$ref", "oneOf", "anyOf", "allOf", "nullable", "additionalProperties"}
    assert {operation["operationId"] for _, operation in operations(flat)} == {
        operation["operationId"] for _, operation in operations(document)
    }
    for _, operation in operations(flat):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            assert len(part.get("content", {"one": 1})) == 1
    body = flat["paths"]["/v1/peers"]["post"]["requestBody"]["content"]["application/json"]
    endpoint = body["schema"]["properties"]["endpoints"]["items"]["properties"]
    assert endpoint["trust"]["properties"]["host_key"]["type"] == "string"


def test_operation_ids_are_these(document: dict[str, Any]) -> None:
    """Generated clients are named by them: changing one breaks callers."""
    procedures = {
        f"{verb}{''.join(word.capitalize() for word in slug.split('-'))}"
        for slug in PROCEDURES
        for verb in ("plan", "start", "schedule")
    }
    bulk = {"bulkAlignClustering", "bulkBackup", "bulkRotatePreSharedKey", "bulkUpdateNeighbours",
            "bulkUpgrade"}  # fmt: skip
    found = [operation["operationId"] for _, operation in operations(document)]
    assert len(found) == len(set(found))
    assert set(found) - procedures - bulk == {
        "acceptState",
        "approveApproval",
        "attestStep",
        "cancelBulkJob",
        "cancelJob",
        "checkCluster",
        "checkClusterDns",
        "createCluster",
        "createCredential",
        "createKey",
        "createNeighbour",
        "createPeer",
        "createWebhook",
        "createWindow",
        "deleteCluster",
        "deleteCredential",
        "deleteNeighbour",
        "deletePeer",
        "deleteWebhook",
        "deleteWindow",
        "diagnoseCluster",
        "downloadJobBackup",
        "enableWebhook",
        "findAlarms",
        "getApproval",
        "getBulkJob",
        "getCluster",
        "getCredential",
        "getDelivery",
        "getJob",
        "getJobEvidence",
        "getJobEvidencePage",
        "getJobForecast",
        "getJobObservations",
        "getJobRecovery",
        "getJobResult",
        "getKey",
        "getLiveness",
        "getMetrics",
        "getNeighbour",
        "getPeer",
        "getPeerCapabilities",
        "getPlan",
        "getPlanForecast",
        "getProcedure",
        "getReadiness",
        "getSchedule",
        "getSettingsMatrix",
        "getWatching",
        "getWebhook",
        "getWindow",
        "importCluster",
        "listApprovals",
        "listAudit",
        "listBulkJobs",
        "listClusterEvents",
        "listClusterHistory",
        "listClusterPorts",
        "listClusters",
        "listCredentials",
        "listDeliveries",
        "listEvidenceKeys",
        "listGuideRequirements",
        "listImages",
        "listJobApprovals",
        "listJobBackups",
        "listJobEvents",
        "listJobTranscript",
        "holdJobRecords",
        "getJobHold",
        "releaseJobRecords",
        "listBackups",
        "verifyBackup",
        "deleteBackup",
        "listJobs",
        "listPlans",
        "listKeys",
        "listNeighbours",
        "listPeers",
        "listProcedures",
        "listScheduleRuns",
        "listSchedules",
        "listUpcoming",
        "listWebhooks",
        "listWindowOpenings",
        "listWindows",
        "lookUpNumber",
        "observeCluster",
        "observePeer",
        "pauseJob",
        "pauseSchedule",
        "pauseWebhook",
        "previewBulkJob",
        "previewCancelBulkJob",
        "previewCancelJob",
        "probePeer",
        "rejectApproval",
        "replaceNeighbour",
        "replaceWindow",
        "replayDelivery",
        "reportCluster",
        "reportPlan",
        "rerunJob",
        "resumeJob",
        "resumeSchedule",
        "retryJob",
        "revokeKey",
        "rotateCredential",
        "rotateKey",
        "rotateWebhookSecret",
        "skipStep",
        "stopSchedule",
        "testWebhook",
        "updateCluster",
        "updateKey",
        "updatePeer",
        "updateWatching",
        "updateWebhook",
    }
    assert {"planCreateCluster", "startCreateCluster", "planAddPeer", "startAddPeer"} <= procedures
    assert procedures | bulk <= set(found)


def test_every_kind_of_event_is_described_as_a_webhook_in_3_1_only(
    document: dict[str, Any],
) -> None:
    hooks = document["webhooks"]
    assert set(hooks) == {*map(str, EventType), TEST_TYPE}
    for name, methods in hooks.items():
        assert methods["post"]["security"] == [], name
        assert set(methods["post"]["responses"]) == {"204"}, name
    older = to_3_0(document)
    assert "webhooks" not in older
    assert "WebhookMessage" not in older["components"]["schemas"]


def test_what_is_sent_is_what_is_described() -> None:
    ended = {"bulk_job_id": "bulk-1", "procedure": "backup", "event": {"state": "failed"}}
    for form in (
        delivery(),
        delivery(job_id=None),
        delivery(job_id=None, cluster_id=None),
        delivery(job_id=None, cluster_id=None, payload=ended),
    ):
        body = json.loads(Composer(Redactor()).body(form, BodyFormat.STANDARD))
        told = WebhookMessage.model_validate(body)
        assert set(body["data"]) <= set(WebhookData.model_fields)
        assert told.data.event == form.payload["event"]
        assert told.data.bulk_job_id == form.payload.get("bulk_job_id")


def test_every_operation_can_be_read_and_called(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for path, operation in operations(document):
        name = operation["operationId"]
        assert len(operation["tags"]) == 1, name
        assert set(operation["tags"]) <= tags, name
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["security"] == (
            []
            if path in OPEN_PATHS
            else [{"ApiKey": []}, {"ApiKeyHeader": []}, {"AccessToken": []}]
        ), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
        if path not in OPEN_PATHS:
            assert {"401", "403", "405", "422", "500", "503"} <= set(operation["responses"]), name
        for status, answer in operation["responses"].items():
            for kind, media in answer.get("content", {}).items():
                assert "example" in media or "examples" in media, (name, status)
                if status >= "400":
                    assert kind == "application/problem+json", (name, status)
                    assert media["schema"] == {"$ref": "#/components/schemas/Problem"}
        for media in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in media, name


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    wrong = []
    for schema, shown, where in examples(document):
        validator = Draft202012Validator(
            {"allOf": [schema], "components": document["components"]},
            format_checker=FormatChecker(),
        )
        wrong += [f"{where}: {error.message[:200]}" for error in validator.iter_errors(shown)]
    assert wrong == []


def examples(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any, str]]:
    """Schema, example and place of each: of bodies, parameters, models and their fields."""
    for _, operation in operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            for shown in parameter["schema"].get("examples", ()):
                yield parameter["schema"], shown, f"{name} {parameter['name']}"
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in part.get("content", {}).values():
                if "schema" in media and "example" in media:
                    yield media["schema"], media["example"], name
    for name, schema in document["components"]["schemas"].items():
        for shown in schema.get("examples", ()):
            yield schema, shown, name
        for field, part in schema.get("properties", {}).items():
            for shown in part.get("examples", ()):
                yield part, shown, f"{name}.{field}"


def test_requests_have_no_alternatives_to_choose_from(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        if "requestBody" not in operation:
            continue
        reached = json.dumps(list(reach(operation["requestBody"], document)))
        assert '"oneOf"' not in reached, operation["operationId"]
        assert "-Input" not in reached
        assert '"itemSchema"' not in reached


def test_the_3_0_document_has_no_word_of_3_1(document: dict[str, Any]) -> None:
    older = to_3_0(document)
    text = json.dumps(older)
    assert older["openapi"] == "3.0.3"
    for word in ('"null"', '"const"', '"prefixItems"', '"patternProperties"', '"identifier"'):
        assert word not in text, word
    assert document["info"]["summary"]
    assert "summary" not in older["info"]


def test_secrets_are_write_only(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["CredentialCreate"]["properties"]["secret"]["writeOnly"] is True
    assert "secret" not in schemas["CredentialRead"]["properties"]


def reach(node: Any, document: dict[str, Any], seen: set[str] | None = None) -> Iterator[Any]:
    seen = set() if seen is None else seen
    if isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target not in seen:
            seen.add(target)
            found: Any = document
            for part in target.removeprefix("#/").split("/"):
                found = found[part]
            yield from reach(found, document, seen)
        yield node
        for value in node.values():
            yield from reach(value, document, seen)
    elif isinstance(node, list):
        for value in node:
            yield from reach(value, document, seen)


def test_every_operation_says_what_it_answers_at_the_door(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert {"421", "431"} <= operation["responses"].keys(), path
