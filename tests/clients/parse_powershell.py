"""Parse every PowerShell file below a folder; names the first error. Exit code 1 where one is.

Stands in for PowerShell itself, which no package registry ships. Run in the clients' environment.
"""

import sys
from pathlib import Path

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser


def first_error(node: Node) -> Node | None:
    if node.type == "ERROR" or node.is_missing:
        return node
    return next((found for child in node.children if (found := first_error(child))), None)


def main() -> int:
    parser = Parser(Language(tree_sitter_powershell.language()))
    files = sorted(Path(sys.argv[1]).rglob("*.ps*1"))
    for path in files:
        wrong = first_error(parser.parse(path.read_bytes()).root_node)
        if wrong is not None:
            print(f"{path.name}:{wrong.start_point.row + 1}: not PowerShell: {wrong.text!r:.80}")
            return 1
    print(f"{len(files)} files parsed")
    return 0 if files else 1


if __name__ == "__main__":
    sys.exit(main())
