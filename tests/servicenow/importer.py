"""An OpenAPI import as ServiceNow's documentation describes it, and nothing kinder.

Sources: "OpenAPI/Postman step" and "OpenAPI support in the REST step" (docs/servicenow/README.md
has the addresses). What the documentation lists as not supported is refused here where it would
change a request, and ignored where it says nothing about requests (tags, servers, security).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

MOST_BYTES = 10 * 1024 * 1024
"""Default of glide.rest.openapi.max_request_size."""
MOST_OPERATIONS = 500
"""Default of glide.rest.openapi.max_operation_limit."""
METHODS = ("get", "post", "put", "patch", "delete")
UNREADABLE = ("oneOf", "anyOf", "discriminator", "additionalProperties")


class ImportRefused(Exception):
    """The importer cannot read this document."""


@dataclass(frozen=True)
class Request:
    """What the step sends; base URL and credential come from the alias."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Operation:
    """One imported operation: its inputs are what the flow designer sees."""

    id: str
    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None

    def request(self, inputs: Mapping[str, Any], body: Any = None) -> Request:
        """Build the request from inputs. Raises KeyError where a needed one is missing."""
        path, query, headers = self.path, {}, {}
        for parameter in self.parameters:
            name, place = parameter["name"], parameter["in"]
            if name not in inputs:
                if parameter.get("required"):
                    raise KeyError(name)
                continue
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(str(inputs[name]), safe=""))
            else:
                (query if place == "query" else headers)[name] = str(inputs[name])
        shaped = None if self.body is None else _shaped(body or {}, self.body)
        if shaped != (body or None) and self.body is not None and body:
            raise KeyError(f"{self.id} has no input for a part of {body}")
        return Request(self.method.upper(), path, query, headers, shaped)

    def outputs(self, answer: Any) -> Any:
        """The answer as complex data: only what the schema names, open objects as text."""
        return answer if self.answer is None else _shaped(answer, self.answer)


def read(text: str) -> dict[str, Operation]:
    """The operations of a document by id. Raises ImportRefused."""
    if len(text.encode()) > MOST_BYTES:
        raise ImportRefused("larger than 10 MB")
    document = json.loads(text)
    version = str(document.get("openapi", document.get("swagger", "")))
    if not version.startswith(("2.0", "3.0")):
        raise ImportRefused(f"version {version}: 2.0 and 3.0 only")
    found = list(_operations(document))
    if len(found) > MOST_OPERATIONS:
        raise ImportRefused(f"{len(found)} operations: 500 at most")
    return {operation.id: operation for operation in found}


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            if method not in METHODS:
                raise ImportRefused(f"method {method} of {path}")
            where = told["operationId"]
            body = None
            if "requestBody" in told:
                content = told["requestBody"]["content"]
                if list(content) != ["application/json"]:
                    raise ImportRefused(f"{where}: a request body other than JSON")
                body = content["application/json"]["schema"]
                _readable(body, document, where)
            answer = _answer(told["responses"])
            if answer is not None:
                _readable(answer, document, where)
            yield Operation(where, method, path, tuple(told.get("parameters", ())), body, answer)


def _answer(responses: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for status, told in responses.items():
        if status.startswith("2") and "application/json" in told.get("content", {}):
            schema: Mapping[str, Any] = told["content"]["application/json"]["schema"]
            return schema
    return None


def _readable(
    schema: Any, document: Mapping[str, Any], where: str, above: tuple[str, ...] = ()
) -> None:
    if isinstance(schema, list):
        for part in schema:
            _readable(part, document, where, above)
        return
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"]
        if name in above:
            raise ImportRefused(f"{where}: a recursive reference, {name}")
        target: Any = document
        for part in name.removeprefix("#/").split("/"):
            target = target[part]
        _readable(target, document, where, (*above, name))
        return
    if unreadable := [word for word in UNREADABLE if word in schema]:
        raise ImportRefused(f"{where}: {unreadable[0]}")
    for name, part in schema.items():
        if name == "properties":
            for inner in part.values():
                _readable(inner, document, where, above)
        elif name in ("items", "allOf"):
            _readable(part, document, where, above)


def _shaped(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        parts = schema.get("properties")
        if not parts:
            return json.dumps(value)  # "A string type output object is created"
        return {name: _shaped(part, parts[name]) for name, part in value.items() if name in parts}
    if isinstance(value, list):
        return [_shaped(part, schema.get("items", {})) for part in value]
    return value
