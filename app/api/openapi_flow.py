"""The OpenAPI document for low-code importers: 3.0.3 with nothing in it that they cannot read.

No references, no composition, no nullable, no open maps, one JSON body and one answer schema for
each operation. What is lost is only description: the service takes and gives the same JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 16
_DROPPED = frozenset({"nullable", "additionalProperties", "default", "title", "discriminator"})


def to_flow(older: Mapping[str, Any]) -> dict[str, Any]:
    """The flat document of a 3.0 document."""
    flow = _Flattening(older)
    paths = {
        path: {method: flow.operation(operation) for method, operation in methods.items()}
        for path, methods in older["paths"].items()
    }
    return {
        "openapi": "3.0.3",
        "info": {**older["info"], "title": f"{older['info']['title']} (flat)"},
        "servers": older["servers"],
        "tags": older["tags"],
        "paths": paths,
        "components": {"securitySchemes": older["components"]["securitySchemes"]},
    }


class _Flattening:
    """Writes out what the references of one document stand for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]

    def operation(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """An operation with one JSON body, one good answer, and problems as plain fields."""
        made = {key: value for key, value in operation.items() if key != "responses"}
        if "parameters" in made:
            made["parameters"] = [
                {**given, "schema": self.schema(given["schema"])} for given in made["parameters"]
            ]
        if "requestBody" in made:
            body = made["requestBody"]
            made["requestBody"] = {**body, "content": self._json(body["content"])}
        made["responses"] = {
            status: self._answer(status, answer)
            for status, answer in operation["responses"].items()
        }
        return made

    def schema(self, schema: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """A schema without references, composition, nulls and open maps."""
        if depth > _DEEPEST:
            return {"type": "object"}
        if "$ref" in schema:
            return self.schema(self._schemas[schema["$ref"].rpartition("/")[2]], depth + 1)
        for word in ("allOf", "anyOf"):
            if word in schema:
                rest = {key: value for key, value in schema.items() if key != word}
                return {**self.schema(schema[word][0], depth + 1), **self.schema(rest, depth + 1)}
        made = {key: value for key, value in schema.items() if key not in _DROPPED}
        if "properties" in made:
            # An open map cannot be described to these importers, so an optional one is left out.
            needed = made.get("required", ())
            made["properties"] = {
                name: self.schema(part, depth + 1)
                for name, part in made["properties"].items()
                if name in needed or not _is_open_map(part)
            }
            # What may be null may be missing, to an importer that knows no null.
            made["required"] = [
                name for name in needed if not schema["properties"].get(name, {}).get("nullable")
            ]
            if not made["required"]:
                del made["required"]
        if "items" in made:
            made["items"] = self.schema(made["items"], depth + 1)
        if "example" in made:
            made["example"] = _shown(made["example"], made)
        return made

    def _json(self, content: Mapping[str, Any]) -> dict[str, Any]:
        media = dict(content["application/json"])
        media["schema"] = self.schema(media["schema"])
        if "example" in media:
            media["example"] = _shown(media["example"], media["schema"])
        return {"application/json": media}

    def _answer(self, status: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"description": answer["description"]}
        content = answer.get("content", {})
        if status >= "400":
            made["content"] = {"application/problem+json": {"schema": _PROBLEM}}
        elif "application/json" in content:
            made["content"] = self._json(content)
        elif content:
            # One kind of answer is all these importers read; the first is the one without a query.
            made["content"] = dict([next(iter(content.items()))])
        return made


def _shown(example: Any, schema: Mapping[str, Any]) -> Any:
    """An example with what the flat schema still has, and without nulls."""
    if isinstance(example, dict) and "properties" in schema:
        parts = schema["properties"]
        return {
            name: _shown(part, parts[name])
            for name, part in example.items()
            if name in parts and part is not None
        }
    if isinstance(example, list) and "items" in schema:
        return [_shown(item, schema["items"]) for item in example]
    return example


def _is_open_map(schema: Mapping[str, Any]) -> bool:
    return "additionalProperties" in schema and not schema.get("properties")


_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "remedy": {"type": "string"},
        "status": {"type": "integer"},
        "retryable": {"type": "boolean"},
        "request_id": {"type": "string"},
        "job_id": {"type": "string"},
        "job_url": {"type": "string"},
    },
}
