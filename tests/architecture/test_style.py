"""Style that a reader relies on: short files and functions, plain names, nothing local left in."""

import ast
import re
import subprocess

import pytest

from tests.architecture.source import MODULES, PACKAGE_MODULES, ROOT, Module

FILE_LINES = 500
FUNCTION_LINES = 70
DOCSTRING_LINES = 5
#: Names that say nothing of what a module owns.
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}
EMPTY_SUFFIXES = ("Helper", "Helpers", "Manager", "Service", "Util", "Utils")
#: What must not be in anything that is kept: this machine's paths, a tracker's numbers, hosts.
LOCAL = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:root|work)/\w"),
    "an issue number": re.compile(r"(?i)\b(?:issue|PR|pull request) ?#?\d+\b|(?<![\w&/])#\d+\b"),
    "a package registry's host": re.compile(r"\b(?:pypi\.org|pythonhosted\.org|debian\.org)\b"),
    "work left over": re.compile(r"\b(?:TODO|FIXME|HACK)\b"),
}
#: This file spells out what it looks for; a lock file of another project names hosts of its own.
EXCEPT = {"tests/architecture/test_style.py", "LICENSE"}


def _kept_texts() -> dict[str, str]:
    """Every text file that git tracks or would track, by its path."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if name not in EXCEPT and path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                texts[name] = data.decode(errors="replace")
    return texts


def _docstring_is_short(module: Module) -> bool:
    """Whether it says in one to five lines what it owns; tests may add their terms below that."""
    whole = ast.get_docstring(module.tree) or ""
    about = whole if module.room else whole.split("\n\n")[0]
    return 0 < sum(1 for line in about.splitlines() if line.strip()) <= DOCSTRING_LINES


def _long_functions(module: Module) -> list[str]:
    functions = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    ends = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    return [f"{module.place}: {name}" for name, length in ends if length > FUNCTION_LINES]


def _empty_names(module: Module) -> list[str]:
    words = set(module.path.stem.split("_")) | set(module.path.parent.name.split("_"))
    classes = [n.name for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)]
    empty = sorted(words & EMPTY_NAMES) + [c for c in classes if c.endswith(EMPTY_SUFFIXES)]
    return [f"{module.place}: {name}" for name in empty]


def test_files_are_short_enough_to_read_at_once():
    assert not [m.place for m in MODULES if len(m.text.splitlines()) > FILE_LINES]


def test_modules_say_in_a_few_lines_what_they_own():
    assert not [m.place for m in MODULES if not _docstring_is_short(m)]


def test_no_function_is_long():
    assert not [found for m in MODULES for found in _long_functions(m)]


def test_modules_and_classes_are_named_for_what_they_own():
    assert not [found for m in PACKAGE_MODULES for found in _empty_names(m)]


@pytest.mark.parametrize("what", LOCAL)
def test_nothing_kept_names(what: str):
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in _kept_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if LOCAL[what].search(line)
    ]
    assert not found
