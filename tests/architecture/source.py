"""The package's own source, parsed once, for tests that hold its shape."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "inland"
#: Everything a person wrote: the rooms, the verifier, the benches, the examples, the tests.
WRITTEN = ("src", "verifier", "bench", "examples", "tests")


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """Its path from the root, as a person would say it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def room(self) -> str:
        """The first name below `inland`: a room, or a module at the top; empty outside."""
        inside = self.path.is_relative_to(PACKAGE)
        return self.path.relative_to(PACKAGE).parts[0].removesuffix(".py") if inside else ""

    def imports(self) -> Iterator[str]:
        """Every dotted name imported, `from a import b` as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _read(folder: Path) -> list[Module]:
    paths = sorted(p for p in folder.rglob("*.py") if not p.name.startswith("."))
    texts = [(path, path.read_text()) for path in paths]
    return [Module(path, text, ast.parse(text, str(path))) for path, text in texts]


PACKAGE_MODULES = _read(PACKAGE)
MODULES = [module for name in WRITTEN for module in _read(ROOT / name)]
