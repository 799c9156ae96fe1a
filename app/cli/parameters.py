"""`name=value` on the command line, as the parameters that a procedure's JSON Schema describes.

What is wrong is said before anything is sent: an unknown name, a missing one, a value of another
kind. Bounds and patterns stay with the service, whose problem names the parameter.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from app.cli.exits import misused

_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def parameters(slug: str, schema: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """The body of a plan. Raises Stopped, with everything that is wrong."""
    known: Mapping[str, Any] = schema.get("properties", {})
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            wrong.append(f"{text!r} is not NAME=VALUE")
        elif name not in known:
            wrong.append(f"{name}: no such parameter")
        elif name in found:
            wrong.append(f"{name}: given twice; a list is NAME=ONE,TWO")
        else:
            try:
                found[name] = _value(known[name], value)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
    wrong += [
        f"{name}: missing. {known[name].get('description', '')}"
        for name in schema.get("required", ())
        if name not in found and not any(text.startswith(f"{name}=") for text in given)
    ]
    if wrong:
        raise misused("\n  ".join([f"{slug} cannot be planned so:", *wrong, *_help(slug, schema)]))
    return found


async def with_ids(
    found: Mapping[str, Any], peer_id: Callable[[str], Awaitable[str]]
) -> dict[str, Any]:
    """The same with ids in place of names of peers."""
    changed = dict(found)
    for name, value in found.items():
        if name.endswith("peer_id") and value:
            changed[name] = await peer_id(value)
        elif name.endswith("peer_ids"):
            changed[name] = [await peer_id(one) for one in value]
    return changed


def as_word(value: Any) -> str:
    """The other way round: a value as it is written behind `name=`."""
    if isinstance(value, list):
        return ",".join(as_word(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value)


def described(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of each parameter."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else json.dumps(field.get("default"))
        yield name, default, str(field.get("description", ""))


def _help(slug: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"parameters of {slug}:"
    for name, default, meaning in described(schema):
        yield f"  {name} ({default}): {meaning}"


def _value(field: Mapping[str, Any], text: str) -> Any:
    kinds = _kinds(field)
    if "array" in kinds:
        return [_value(field.get("items", {}), one) for one in text.split(",") if one]
    if "boolean" in kinds:
        if text.lower() not in _WORDS:
            raise ValueError(f"{text!r} is not true or false")
        return _WORDS[text.lower()]
    if "integer" in kinds or "number" in kinds:
        try:
            return int(text) if "integer" in kinds or text.lstrip("+-").isdigit() else float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
    if "object" in kinds:
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
    if text == "" and "null" in kinds:
        return None
    return text


def _kinds(field: Mapping[str, Any]) -> set[str]:
    choices = field.get("anyOf") or [field]
    return {str(choice.get("type", "string")) for choice in choices}
