"""openapi-flow.json is read by an importer that refuses what ServiceNow's documentation refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.clients.toolchain import OPENAPI
from tests.servicenow import importer
from tests.servicenow.importer import ImportRefused

TEXT = (OPENAPI / "openapi-flow.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def operations() -> dict[str, importer.Operation]:
    return importer.read(TEXT)


def test_the_flow_document_is_within_every_documented_limit(
    operations: dict[str, importer.Operation],
) -> None:
    document = json.loads(TEXT)
    told = {o["operationId"] for methods in document["paths"].values() for o in methods.values()}
    assert set(operations) == told
    assert {"planCreateCluster", "startCreateCluster", "approveApproval", "getJobResult"} <= told


def test_the_other_two_documents_are_refused_as_the_documentation_says() -> None:
    with pytest.raises(ImportRefused, match=r"2\.0 and 3\.0 only"):
        importer.read((OPENAPI / "openapi.json").read_text(encoding="utf-8"))
    with pytest.raises(ImportRefused):
        importer.read((OPENAPI / "openapi-3.0.json").read_text(encoding="utf-8"))


def schema_of(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    return found


def recursive(document: dict[str, Any], operation: dict[str, Any]) -> None:
    node = {"type": "object", "properties": {"below": {"$ref": "#/components/schemas/Node"}}}
    document["components"]["schemas"] = {"Node": node}
    schema_of(operation)["properties"]["node"] = {"$ref": "#/components/schemas/Node"}


def altered(change: Any) -> str:
    document = copy.deepcopy(json.loads(TEXT))
    change(document, document["paths"]["/v1/clusters"]["post"])
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d, o: schema_of(o).update(oneOf=[{"type": "object"}]), "oneOf"),
        (lambda d, o: schema_of(o)["properties"].update(x={"anyOf": []}), "anyOf"),
        (lambda d, o: schema_of(o).update(additionalProperties=True), "additionalProperties"),
        (lambda d, o: o["requestBody"]["content"].update({"text/plain": {}}), "other than JSON"),
        (lambda d, o: d["paths"].update({"/x": {"trace": o}}), "method trace"),
        (lambda d, o: d.update(openapi="3.1.0"), "3.1.0"),
        (recursive, "recursive"),
        (
            lambda d, o: d["paths"].update(
                {f"/x{n}": {"get": {**o, "operationId": f"x{n}"}} for n in range(500)}
            ),
            "500 at most",
        ),
    ],
)
def test_what_the_documentation_does_not_support_is_refused(change: Any, why: str) -> None:
    with pytest.raises(ImportRefused, match=why):
        importer.read(altered(change))


def test_a_request_is_built_from_inputs_alone(operations: dict[str, importer.Operation]) -> None:
    start = operations["startCreateCluster"]
    body = {"primary_peer_id": "peer-1", "change": {"number": "CHG1"}}
    made = start.request({"cluster_id": "cluster-1", "Idempotency-Key": "CHG1-1"}, body)
    assert made.path == "/v1/clusters/cluster-1/procedures/create-cluster"
    assert (made.method, made.headers) == ("POST", {"Idempotency-Key": "CHG1-1"})
    assert made.body == body
    with pytest.raises(KeyError, match="cluster_id"):
        start.request({"Idempotency-Key": "k"}, body)
    with pytest.raises(KeyError, match="no input"):
        start.request(
            {"cluster_id": "c", "Idempotency-Key": "k"}, {**body, "change": {"nowhere": "x"}}
        )


def test_open_objects_come_out_as_text(operations: dict[str, importer.Operation]) -> None:
    plan = {"id": "plan-1", "parameters": {"primary_peer_id": "peer-1"}, "unknown": 1}
    read = operations["planCreateCluster"].outputs(plan)
    assert read == {"id": "plan-1", "parameters": '{"primary_peer_id": "peer-1"}'}


def test_every_request_body_can_be_filled_in_by_a_flow_designer(
    operations: dict[str, importer.Operation],
) -> None:
    """A body's objects all have named fields: none would become one field of text."""

    def open_objects(schema: Any, where: str) -> list[str]:
        if schema.get("type") == "object" and not schema.get("properties"):
            return [where]
        found: list[str] = []
        for name, part in schema.get("properties", {}).items():
            found += open_objects(part, f"{where}/{name}")
        if "items" in schema:
            found += open_objects(schema["items"], f"{where}[]")
        return found

    found = [path for o in operations.values() if o.body for path in open_objects(o.body, o.id)]
    assert found == []
