"""Pages for people: the OpenAPI document, a reading of it, and one page for each problem.

Made here without scripts or anything from another host, so that they work in closed networks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from app.api.problems import PROBLEMS, ProblemType
from app.services.problems import not_found

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f3f3f3;border-radius:3px}
pre{padding:.7rem;overflow:auto}code{padding:.1rem .3rem}summary{cursor:pointer;padding:.3rem 0}
h2{border-bottom:1px solid #ccc;margin-top:2.5rem}table{border-collapse:collapse}
td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}a{color:#0b4f8a}
.wide td,.wide th{border-top:1px solid #ddd}.good{color:#14632b}.bad{color:#a11414}
.doubt{color:#7a5200}.quiet{color:#555}section{break-inside:avoid;margin:1.5rem 0}
h3{margin-bottom:.2rem}dl{margin:.3rem 0}dt{font-weight:600}dd{margin:0 0 .3rem 1rem}
@media print{body{max-width:none;margin:0;font-size:11pt}a{color:inherit;text-decoration:none}
h2{break-after:avoid}tr{break-inside:avoid}pre{white-space:pre-wrap}}
"""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def router(*, docs: bool) -> APIRouter:
    """The pages; `/docs` and `/openapi.json` only where asked for."""
    made = APIRouter(include_in_schema=False, redirect_slashes=False)

    async def document(request: Request) -> Response:
        return JSONResponse(request.app.openapi())

    async def reading(request: Request) -> Response:
        return page("Clusterway API", _reading(request.app.openapi()))

    async def problems() -> Response:
        rows = "".join(
            f"<tr><td>{kind.status}<td><a href='/problems/{code}'>{code}</a>"
            f"<td>{escape(kind.title)}"
            for code, kind in sorted(PROBLEMS.items(), key=lambda item: (item[1].status, item[0]))
        )
        return page("Problems", f"<table>{rows}</table>")

    async def problem(code: str) -> Response:
        kind = PROBLEMS.get(code)
        if kind is None:
            raise not_found("problem", "unknown")
        return page(kind.title, _problem(kind))

    made.add_api_route("/problems", problems, operation_id="problems")
    made.add_api_route("/problems/{code}", problem, operation_id="problem")
    if docs:
        made.add_api_route("/openapi.json", document, operation_id="openapi")
        made.add_api_route("/docs", reading, operation_id="docs")
    return made


def page(title: str, body: str) -> HTMLResponse:
    """A whole page around an escaped body; the title is escaped here."""
    text = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{body}"
    )
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


def _problem(kind: ProblemType) -> str:
    again = "yes" if kind.retryable else "no"
    return (
        f"<p><code>{kind.code}</code>, status {kind.status}</p><p>{escape(kind.meaning)}</p>"
        f"<p><b>What to do:</b> {escape(kind.remedy)}</p>"
        f"<p><b>May the same request succeed later?</b> {again}.</p>"
        "<p><a href='/problems'>All problems</a></p>"
    )


def _reading(document: Mapping[str, Any]) -> str:
    parts = [
        f"<p>{escape(document['info'].get('summary', ''))}</p>",
        "<p><a href='/openapi.json'>openapi.json</a> &middot; <a href='/problems'>problems</a></p>",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>")
        for path, methods in document["paths"].items():
            parts += [
                _operation(path, method, operation)
                for method, operation in methods.items()
                if tag["name"] in operation["tags"]
            ]
    return "".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(given['name'])}</code><td>{escape(given['in'])}"
        f"<td>{escape(given.get('description', ''))}"
        for given in operation.get("parameters", ())
    )
    answers = "".join(
        f"<tr><td>{escape(str(status))}<td>{escape(answer['description'])}"
        for status, answer in operation["responses"].items()
    )
    body = ""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        shown = escape(json.dumps(content["example"], indent=2))
        body = f"<p>Body, for example:</p><pre>{shown}</pre>"
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>"
        f"<table>{rows}</table>{body}<p>Answers:</p><table>{answers}</table></details>"
    )
