"""The OpenAPI documents: 3.1 from the routes, 3.0 from that, and a flat one from that.

Run `python -m app.api.openapi` to write them to openapi/; a test compares what is committed with
what the code makes. Published converters from 3.1 to 3.0 get this document wrong, so the few
differences that occur here are written out in `to_3_0`.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.openapi_flow import to_flow
from app.api.problems import PROBLEMS, example
from app.api.v1.schemas.problem import Problem, ProblemError

TITLE = "Clusterway"
VERSION = "1.0.0"
SUMMARY = "Creates and maintains Cisco Expressway clusters."
DESCRIPTION = """\
Register peers and clusters, read a plan, start it as a job, and follow the job to its end.

Every error is an `application/problem+json` document. Every change runs as a job: `202` with a
`Location` to read. Send the API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`;
where the operator has named an issuer, its access tokens are good too.
"""
TAGS: tuple[dict[str, Any], ...] = (
    {"name": "credentials", "description": "Secrets: they go in and never come out."},
    {"name": "peers", "description": "Registered Expressways, and what they say of themselves."},
    {"name": "clusters", "description": "One to six peers addressed by one FQDN."},
    {"name": "checks", "description": "Everything the guide wants to be so, looked at now."},
    {"name": "diagnosis", "description": "What is wrong with a cluster, and what mends it."},
    {"name": "watching", "description": "What happens to a cluster between changes."},
    {"name": "neighbours", "description": "Devices whose zones name a cluster's addresses."},
    {"name": "windows", "description": "When clusters may be worked on, and change freezes."},
    {"name": "schedules", "description": "Jobs that start by themselves, again and again."},
    {"name": "procedures", "description": "The catalogue of changes."},
    {"name": "plans", "description": "What a job would do, before anything is touched."},
    {"name": "jobs", "description": "Plans being carried out."},
    {"name": "bulk-jobs", "description": "The same change on many clusters, in waves."},
    {"name": "approvals", "description": "Jobs that people have to agree to."},
    {"name": "events", "description": "Everything that happens in a job, numbered."},
    {"name": "evidence", "description": "What proves afterwards what a job did."},
    {"name": "webhooks", "description": "Events sent to others, signed, and the log of that."},
    {"name": "images", "description": "Software images that lie ready for upgrades."},
    {"name": "backups", "description": "Backups that jobs took."},
    {"name": "guide", "description": "The deployment guide, requirement by requirement."},
    {"name": "keys", "description": "Who may call, and how far each of them reaches."},
    {"name": "audit", "description": "Who did what to what, in a chain that shows changes."},
    {"name": "health", "description": "Signs of life."},
)
LICENCE_URL = "https://www.apache.org/licenses/LICENSE-2.0"
_RATE_HEADERS = {
    "RateLimit-Policy": (
        "How many requests are allowed in how many seconds.",
        '"requests";q=600;w=60',
    ),
    "RateLimit": (
        "How many are left, and in how many seconds all are.",
        '"requests";r=599;t=1',
    ),
}
"""On every answer to a caller the service knows (draft-ietf-httpapi-ratelimit-headers-10)."""
SCHEMES = ("ApiKey", "ApiKeyHeader", "AccessToken")
"""Ways to say who is calling; one is enough. See app.api.dependencies."""
STARTS = ("start", "bulk")
"""How the operations are called that start jobs."""
OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Paths that need no key."""


def document(app: FastAPI) -> dict[str, Any]:
    """The 3.1 document of the application, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version="3.1.0",
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            webhooks=app.webhooks.routes,
            tags=app.openapi_tags,
            license_info=app.license_info,
        )
        made["info"]["contact"] = {"name": "The Clusterway founders"}
        # Meant for the network of those who run the Expressways, not for the world.
        made["servers"] = [{"url": "/", "x-internal": True}]
        _add_problem(made)
        for path, methods in made["paths"].items():
            for operation in methods.values():
                _finish(operation, path, made)
        for methods in made["webhooks"].values():
            for operation in methods.values():
                # The receiver's own affair: we are the caller there, and it never answers 422.
                operation["security"] = []
                operation["responses"].pop("422", None)
        app.openapi_schema = made
    return app.openapi_schema


def _add_problem(made: dict[str, Any]) -> None:
    schemas = made["components"]["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for model in (Problem, ProblemError):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    made["components"]["schemas"] = dict(sorted(schemas.items()))
    for schema in schemas.values():
        if "examples" in schema:
            schema["examples"] = copy.deepcopy(schema["examples"])
            for shown in schema["examples"]:
                _complete(shown, schema, schemas)
    made["components"]["examples"] = {
        code: {"summary": kind.title, "value": example(kind)}
        for code, kind in sorted(PROBLEMS.items())
    }
    made["components"]["headers"] = {
        **{
            name: {"description": words, "schema": {"type": "string"}, "example": shown}
            for name, (words, shown) in _RATE_HEADERS.items()
        },
        "X-Request-ID": {
            "description": "Finds the request in the logs.",
            "schema": {"type": "string"},
            "example": "req-7d0c2f8a41c94f5a",
        },
    }


def _finish(operation: dict[str, Any], path: str, made: Mapping[str, Any]) -> None:
    operation["security"] = [] if path in OPEN_PATHS else [{name: []} for name in SCHEMES]
    for parameter in operation.get("parameters", ()):
        _as_it_is_sent(parameter, operation["operationId"])
    contents = [operation.get("requestBody", {}).get("content", {})]
    for status, answer in operation["responses"].items():
        contents.append(answer.get("content", {}))
        answer.setdefault("headers", {})["X-Request-ID"] = {
            "$ref": "#/components/headers/X-Request-ID"
        }
        for name, words in _headers(status, operation["operationId"]).items():
            answer["headers"][name] = {"description": words, "schema": {"type": "string"}}
        if path not in OPEN_PATHS and status[0] in "24" and status != "401":
            for name in _RATE_HEADERS:
                answer["headers"][name] = {"$ref": f"#/components/headers/{name}"}
    for content in contents:
        media = content.get("application/json")
        if media is not None and "example" not in media:
            media["example"] = example_of(media["schema"], made)


def _as_it_is_sent(parameter: dict[str, Any], operation_id: str) -> None:
    """Say of a parameter what FastAPI cannot: none is ever null, and these headers are needed."""
    alternatives = parameter["schema"].pop("anyOf", None)
    if alternatives is not None:
        (only,) = (kind for kind in alternatives if kind.get("type") != "null")
        parameter["schema"] = {**only, **parameter["schema"]}
    if parameter["name"] == "If-Match":
        parameter["required"] = True
    if parameter["name"] == "Idempotency-Key" and operation_id.startswith((*STARTS, "rerun")):
        parameter["required"] = True


def _headers(status: str, operation_id: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status == "429":
        headers["Retry-After"] = "Seconds until it is worth asking again."
    if status == "201" and not operation_id.startswith("observe"):
        headers["Location"] = "Absolute address of what was made."
    if status == "202":
        headers["Retry-After"] = "Seconds until it is worth asking again."
        if operation_id.startswith(STARTS):
            headers["Location"] = "Absolute address of the job."
            headers["Operation-Location"] = "The same address."
            headers["Idempotency-Replayed"] = "`true` where an earlier request made the job."
    if status == "405":
        headers["Allow"] = "The methods the resource knows."
    return headers


def example_of(schema: Mapping[str, Any], made: Mapping[str, Any], depth: int = 0) -> Any:
    """An example that fits a schema, out of the examples of its parts."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example_of(made["components"]["schemas"][name], made, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        nullable = any(part.get("type") == "null" for part in schema["anyOf"])
        if nullable and depth > 3:
            return None
        return example_of(schema["anyOf"][0], made, depth + 1)
    kind = schema.get("type")
    if kind == "object":
        required = schema.get("properties", {})
        return {name: example_of(part, made, depth + 1) for name, part in required.items()}
    if kind == "array":
        items = schema.get("items")
        return [] if items is None or depth > 8 else [example_of(items, made, depth + 1)]
    if schema.get("format") == "date-time":
        return "2026-03-01T09:30:00Z"
    plain: dict[Any, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}
    return plain.get(kind, "text")


def _complete(shown: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Write out the nulls of an example: a model's author names what is there, not what is not."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if isinstance(shown, list):
        for item in shown:
            _complete(item, schema.get("items", {}), schemas)
    if not isinstance(shown, dict):
        return
    for name, part in schema.get("properties", {}).items():
        if name in shown:
            _complete(shown[name], part, schemas)
        elif name in schema.get("required", ()) and {"type": "null"} in part.get("anyOf", ()):
            shown[name] = None


def to_3_0(source: Mapping[str, Any]) -> dict[str, Any]:
    """The same document in the words of OpenAPI 3.0.3."""
    made: dict[str, Any] = _older(copy.deepcopy(dict(source)))
    _type_nullables(made, made["components"]["schemas"])
    made["openapi"] = "3.0.3"
    made.pop("webhooks", None)
    for name in ("WebhookMessage", "WebhookData"):
        made["components"]["schemas"].pop(name, None)
    made.pop("jsonSchemaDialect", None)
    made["info"].pop("summary", None)
    made["info"]["license"] = {"name": "Apache-2.0", "url": LICENCE_URL}
    return made


def _type_nullables(node: Any, schemas: Mapping[str, Any]) -> None:
    """`nullable` needs a type beside it: that of the model it stands for."""
    if isinstance(node, list):
        for item in node:
            _type_nullables(item, schemas)
    if not isinstance(node, dict):
        return
    if node.get("nullable") and "$ref" in node.get("allOf", ({},))[0]:
        node["type"] = schemas[node["allOf"][0]["$ref"].rpartition("/")[2]]["type"]
    for part in node.values():
        _type_nullables(part, schemas)


def _older(node: Any, inside: str = "") -> Any:
    if isinstance(node, list):
        return [_older(item) for item in node]
    if not isinstance(node, dict):
        return node
    if inside in {"example", "examples", "value", "default"}:
        return node
    if inside in {"properties", "schemas", "responses", "parameters"}:
        return {name: _older(part) for name, part in node.items()}
    node = {name: _older(part, name) for name, part in node.items()}
    if "anyOf" in node:
        node = _without_null(node)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    # `examples` is a list in a JSON Schema, and a mapping of named examples in a media type.
    if isinstance(node.get("examples"), list):
        first = node.pop("examples")[:1]
        if first and first[0] is not None:
            node["example"] = first[0]
    for bound, old in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(bound), int | float) and not isinstance(node.get(bound), bool):
            node[old] = node[bound]
            node[bound] = True
    if "prefixItems" in node:
        node["items"] = {"anyOf": node.pop("prefixItems")}
    if "patternProperties" in node:
        node["additionalProperties"] = next(iter(node.pop("patternProperties").values()))
    if "$ref" in node and len(node) > 1:
        # 3.0 ignores what stands beside a $ref.
        node = {"allOf": [{"$ref": node.pop("$ref")}], **node}
    node.pop("propertyNames", None)
    node.pop("contentMediaType", None)
    return node


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    kinds = [part for part in node["anyOf"] if part.get("type") != "null"]
    if len(kinds) == len(node["anyOf"]):
        return node
    rest = {name: part for name, part in node.items() if name != "anyOf"}
    if len(kinds) > 1:
        return {**rest, "anyOf": kinds, "nullable": True}
    if "$ref" in kinds[0]:
        return {**rest, "allOf": kinds, "nullable": True}
    return {**kinds[0], **rest, "nullable": True}


def written(source: Mapping[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(source, indent=2, ensure_ascii=False) + "\n"


def documents(app: FastAPI) -> dict[str, dict[str, Any]]:
    """All documents by their file names."""
    newest = document(app)
    older = to_3_0(newest)
    return {
        "openapi.json": newest,
        "openapi-3.0.json": older,
        "openapi-flow.json": to_flow(older),
    }


def write(folder: Path) -> None:
    """Write all documents made from the code into the folder."""
    from app.api.offline import offline_api  # noqa: PLC0415 - only this command needs it

    for name, made in documents(offline_api()).items():
        (folder / name).write_text(written(made), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "openapi"))
