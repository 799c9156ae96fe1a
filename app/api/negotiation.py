"""Which of two kinds of answer a caller would rather have, by its Accept header (RFC 9110, 12.5.1).

Generated clients list every kind that the document names and read only JSON, so another kind is
given only to those who prefer it.
"""

from __future__ import annotations

from fastapi import Request


def prefers(request: Request, kind: str, over: str = "application/json") -> bool:
    """Whether the caller would rather have `kind` than `over`; without a preference it has not."""
    accepted = _qualities(request.headers.get("accept", "*/*"))
    return _quality(kind, accepted) > _quality(over, accepted)


def _qualities(header: str) -> dict[str, float]:
    accepted: dict[str, float] = {}
    for part in header.split(",")[:50]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            accepted[name] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            accepted[name] = 0.0
    return accepted


def _quality(kind: str, accepted: dict[str, float]) -> float:
    """The most specific range that covers the kind decides."""
    for known in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if known in accepted:
            return accepted[known]
    return 0.0
