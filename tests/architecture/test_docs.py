"""What the documents say is there, is there."""

import itertools
import re
import tomllib
from importlib import metadata

from tests.architecture import reference
from tests.architecture.source import ROOT

DOCUMENTS = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/dependencies.md"),
    *("docs/billing.md", "docs/contracts.md", "docs/formats.md", "docs/journal.md"),
    *("docs/lines.md", "docs/threat-model.md"),
)
#: A name in backticks that looks like a file or folder of this tree.
PATH = re.compile(r"`((?:src|docs|tests|bench|verifier)/[\w./-]*|[A-Z]+\.md|[\w-]+\.(?:toml|txt))`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
#: A command as a document shows it: in backticks, or at the start of a line of a block.
COMMAND = re.compile(r"(?:`|^)(?:\S+/)?(inland [a-z][^`\n|>]*)", re.MULTILINE)
#: Files of a factory's home, which documents name as well.
OF_A_HOME = {"factory.toml"}


def test_every_path_a_document_names_exists():
    missing = [
        f"{document}: {name}"
        for document in DOCUMENTS
        for name in PATH.findall((ROOT / document).read_text())
        if name not in OF_A_HOME and not (ROOT / name).exists()
    ]
    assert not missing


def test_every_link_leads_somewhere():
    broken = [
        f"{document}: {target}"
        for document in DOCUMENTS
        for target in LINK.findall((ROOT / document).read_text())
        if not (ROOT / document).parent.joinpath(target).exists()
    ]
    assert not broken


def test_every_test_a_document_names_exists():
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)\(", written))
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(test_\w+)`", (ROOT / document).read_text())
    }
    assert len(named) > 20
    assert not named - known


def _wrong_in(shown: str) -> str | None:
    """What is wrong with a command that a document shows; None when it could be typed."""
    known = reference.tree()
    words = shown.partition(" -- ")[0].split()  # what stands behind is another program's
    command = known.get(" ".join(words[:2])) or known.get(" ".join(words[:3]))
    if command is None:
        return f"{shown}: no such command"
    options = {"--home", "--json", "--help"} | {o for p in command.params for o in p.opts}
    unknown = [word for word in words if word.startswith("-") and word not in options]
    return f"{shown}: no option {unknown}" if unknown else None


def test_every_command_a_document_shows_could_be_typed():
    shown = [
        command
        for document in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")
        for command in COMMAND.findall((ROOT / document).read_text())
    ]
    assert len(shown) > 10
    assert not [wrong for command in shown if (wrong := _wrong_in(command))]


def test_the_reference_says_what_the_program_says():
    """`make fix` renews it."""
    assert reference.FILE.read_text() == reference.page()


def _pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {_plain(name): version for name, version in pairs}


def _plain(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_library_has_its_reason_and_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    names = {re.split(r"[>=]", line)[0] for line in (*project["dependencies"], *extras)}
    pinned = _pinned()
    text = (ROOT / "docs" / "dependencies.md").read_text()
    assert not [name for name in names if name not in text or pinned[name] not in text]


def test_what_is_installed_is_what_is_pinned():
    pinned = _pinned()
    installed = {_plain(d.metadata["Name"]): d.version for d in metadata.distributions()}
    ours = {"inland", "pip", "setuptools"}
    assert not {n: v for n, v in installed.items() if n not in ours and pinned.get(n) != v}


def test_architecture_fits_one_page():
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 110
