"""What docs/servicenow/README.md names exists: operations, routes, key bodies, policy fields."""

from __future__ import annotations

import json
import re

from app.api.v1.schemas.clusters import ClusterPatch
from app.api.v1.schemas.keys import KeyCreate
from tests.clients.toolchain import OPENAPI
from tests.servicenow import importer
from tests.servicenow.scripts import KIT

PAGE = (KIT / "README.md").read_text(encoding="utf-8")
OF_SERVICENOW = {"additionalProperties", "oneOf", "anyOf", "generateMac"}


def test_every_operation_that_the_page_names_can_be_imported() -> None:
    operations = importer.read((OPENAPI / "openapi-flow.json").read_text(encoding="utf-8"))
    named = set(re.findall(r"`([a-z]+[A-Z]\w+)`", PAGE)) - OF_SERVICENOW
    assert {"getJobResult", "approveApproval", "pauseJob"} <= named
    assert named <= set(operations)


def test_every_route_that_the_page_names_exists() -> None:
    paths = json.loads((OPENAPI / "openapi.json").read_text(encoding="utf-8"))["paths"]
    known = {
        f"{method.upper()} {re.sub(r'{.*?}', '{id}', path)}"
        for path, methods in paths.items()
        for method in methods
    }
    named = set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /v1/[^`]+)`", PAGE))
    assert "POST /v1/keys" in named
    assert named <= known


def test_the_keys_and_the_policy_of_the_page_are_what_the_service_takes() -> None:
    blocks = [
        json.loads(block.replace("-...", "-1"))
        for block in re.findall(r"```json\n(.*?)```", PAGE, re.S)[:2]
    ]
    runs, decides = (KeyCreate.model_validate(block) for block in blocks)
    assert not set(runs.scopes) & {"approvals:decide", "admin"}
    assert "jobs:run" not in decides.scopes
    found = re.search(r'`(\{"policy": .*?\})`', PAGE)
    assert found is not None
    assert ClusterPatch.model_validate_json(found.group(1)).policy is not None
