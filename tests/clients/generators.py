"""Each client generator: how it generates, how its output is compiled, how its story is run.

The stories in stories/ are programs a caller could have written, one for each client: register,
plan, start exactly that plan, watch, read the result. They know the service by its URL alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.clients import toolchain
from tests.clients.toolchain import HERE, NODE_MODULES, OPENAPI, Ran, node, node_tool, python, run

STORIES = HERE / "stories"
Step = Callable[[Path], Ran]


@dataclass(frozen=True, slots=True)
class Generator:
    """One generator and language. `work` is an empty folder that all three steps share.

    `story` is None where nothing here can run the language; `instead` then says what was done.
    `missing` says what of the machine is not there to compile with; that is told and no failure.
    """

    name: str
    language: str
    generate: Step
    compile: Step
    story: Callable[[Path, Path], Ran] | None
    """(work, file with what the story needs) -> how it went."""
    instead: str = ""
    missing: Callable[[], str] = str


def _openapi_generator(language: str, *options: str) -> Step:
    def generate(work: Path) -> Ran:
        # The generator says on its output what it makes of each model; only its end counts.
        return run(
            [
                toolchain.java(), "-jar", toolchain.generator_jar(), "generate", "-g", language,
                "-i", OPENAPI / "openapi-3.0.json", "-o", work / "client", *options,
            ]
        )  # fmt: skip

    return generate


# -- Python, by openapi-generator


def _mypy(work: Path, *what: str) -> Ran:
    return run([python(), "-m", "mypy", "--no-incremental", *what], cwd=work)


def _compile_python(work: Path) -> Ran:
    shutil.copy(STORIES / "by_openapi_generator.py", work / "client" / "story.py")
    return _mypy(work / "client", "openapi_client", "story.py")


def _run_python(work: Path, needs: Path) -> Ran:
    return run([python(), "story.py", needs], cwd=work / "client")


# -- Python, by openapi-python-client


def _generate_python_client(work: Path) -> Ran:
    (work / "config.json").write_text(json.dumps({"post_hooks": []}), encoding="utf-8")
    return run(
        [
            toolchain.command("openapi-python-client"), "generate", "--meta", "none",
            "--path", OPENAPI / "openapi.json", "--config", work / "config.json",
            "--output-path", work / "clusterway_client", "--fail-on-warning",
        ]
    )  # fmt: skip


def _compile_python_client(work: Path) -> Ran:
    shutil.copy(STORIES / "by_openapi_python_client.py", work / "story.py")
    return _mypy(work, "clusterway_client", "story.py")


def _run_python_client(work: Path, needs: Path) -> Ran:
    return run([python(), "story.py", needs], cwd=work)


# -- TypeScript, by openapi-generator and by openapi-typescript


def _typescript(story: str, *, checks_only: bool) -> Step:
    def build(work: Path) -> Ran:
        shutil.copy(STORIES / story, work / "story.ts")
        link = work / "node_modules"
        if not link.exists():
            link.symlink_to(NODE_MODULES)
        (work / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        options = {
            "target": "ES2022",
            "module": "ES2022",
            "moduleResolution": "bundler",
            "strict": True,
            "lib": ["ES2022", "DOM", "DOM.Iterable"],
            "types": ["node"],
            # Declarations of packages are their authors' business; ours and generated ones are not.
            "skipLibCheck": not checks_only,
            "outDir": "built",
            "rootDir": ".",
        }
        project = {"compilerOptions": options, "files": ["story.ts"]}
        (work / "tsconfig.json").write_text(json.dumps(project), encoding="utf-8")
        return run([*node_tool("tsc"), "--project", work / "tsconfig.json"], cwd=work)

    return build


def _run_node(work: Path, needs: Path) -> Ran:
    # Imports in the generated code name no file endings, as bundlers allow and Node.js does not.
    loader = STORIES / "endings.mjs"
    return run([node(), "--import", loader, work / "built" / "story.js", needs], cwd=work)


def _generate_types(work: Path) -> Ran:
    output = work / "clusterway.ts"
    # Without this option a field with a default would be required in requests too.
    options = ["--default-non-nullable", "false"]
    tool = node_tool("openapi-typescript")
    return run([*tool, OPENAPI / "openapi.json", "-o", output, *options])


# -- Java, by openapi-generator


def _no_javac() -> str:
    return (
        "" if toolchain.javac() else "no javac here (Debian: apt-get install default-jdk-headless)"
    )


def _compile_java(work: Path) -> Ran:
    sources = [*(work / "client" / "src" / "main").rglob("*.java"), *STORIES.rglob("*.java")]
    arguments = work / "sources.txt"
    arguments.write_text("\n".join(str(path) for path in sources), encoding="utf-8")
    (work / "classes").mkdir(exist_ok=True)
    # Jackson, which the client needs, comes with the generator's own jar.
    return run(
        [
            str(toolchain.javac()), "-nowarn", "-Xlint:none", "-proc:none", "--release", "17",
            "-cp", toolchain.generator_jar(), "-d", work / "classes", f"@{arguments}",
        ]
    )  # fmt: skip


def _run_java(work: Path, needs: Path) -> Ran:
    path = f"{work / 'classes'}:{toolchain.generator_jar()}"
    return run([toolchain.java(), "-cp", path, "Story", needs])


# -- PowerShell, by openapi-generator


def _parse_powershell(work: Path) -> Ran:
    return run([python(), HERE / "parse_powershell.py", work / "client" / "src"])


GENERATORS = (
    Generator(
        "openapi-generator", "Python", _openapi_generator("python"), _compile_python, _run_python
    ),
    Generator(
        "openapi-python-client",
        "Python",
        _generate_python_client,
        _compile_python_client,
        _run_python_client,
    ),
    Generator(
        "openapi-generator",
        "TypeScript (fetch)",
        _openapi_generator("typescript-fetch"),
        _typescript("by_typescript_fetch.ts", checks_only=True),
        _run_node,
    ),
    Generator(
        "openapi-typescript",
        "TypeScript (openapi-fetch)",
        _generate_types,
        _typescript("by_openapi_typescript.ts", checks_only=False),
        _run_node,
    ),
    Generator(
        "openapi-generator",
        "Java (native)",
        _openapi_generator(
            "java", "--library", "native", "--additional-properties",
            "openApiNullable=false,hideGenerationTimestamp=true,useJakartaEe=false",
        ),
        _compile_java,
        _run_java,
        missing=_no_javac,
    ),
    Generator(
        "openapi-generator",
        "PowerShell",
        _openapi_generator("powershell"),
        _parse_powershell,
        None,
        instead="no PowerShell in the registries here: parsed by tree-sitter, not run",
    ),
)  # fmt: skip
