"""The wheels of this very installation: Inland's own and all it needs, at their versions here."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from inland.adapters.weights.digest import file_sha256
from inland.domain.errors import InlandError, NotFound

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
_PIP_S = 1800.0
_WHY_CHARS = 300
_OWN = "inland"


class NoWheels(InlandError):
    """Pip did not bring them, and says why."""


def gather(into: Path, given: Path | None, environment: Mapping[str, str]) -> None:
    """Every wheel that installing Inland takes, in the folder `into`. Raises NoWheels, NotFound.

    `given`: a folder of wheels that are used first, and where Inland's own is looked for.
    """
    own = _own(into, given, environment)
    pins = into / "pins"
    pins.write_text("".join(f"{name}=={version}\n" for name, version in _installed()))
    found = [] if given is None else ["--find-links", str(given)]
    asked = ["download", "--only-binary", ":all:", "--dest", str(into), "-c", str(pins)]
    _pip([*asked, *found, str(own)], environment)
    pins.unlink()


def requirements(folder: Path) -> str:
    """What pip is told to install of the wheels in a folder: all, by version and hash."""
    lines = []
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        digest = file_sha256(path)
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{digest}\n")
    return "".join(lines)


def _installed() -> list[tuple[str, str]]:
    found = {one.name: one.version for one in metadata.distributions()}
    return sorted((name, version) for name, version in found.items() if name.lower() != _OWN)


def _own(into: Path, given: Path | None, environment: Mapping[str, str]) -> Path:
    """Inland's own wheel: one that was given, or made of the sources it is installed from."""
    version = metadata.version(_OWN)
    here = [] if given is None else sorted(given.glob(f"{_OWN}-{version}-*.whl"))
    if not here:
        sources = _sources()
        if sources is None:
            raise NotFound(f"wheel of Inland {version}; give --wheels DIR, a folder that holds it")
        _pip(["wheel", "--no-deps", "--wheel-dir", str(into), str(sources)], environment)
        return next(iter(into.glob(f"{_OWN}-*.whl")))
    return here[-1]


def _sources() -> Path | None:
    """Where an installation that is no copy was made from."""
    told = metadata.distribution(_OWN).read_text("direct_url.json")
    url = urlsplit(json.loads(told)["url"]) if told else None
    path = Path(unquote(url.path)) if url is not None and url.scheme == "file" else None
    return path if path is not None and (path / "pyproject.toml").is_file() else None


def _pip(words: list[str], environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            [*_PIP, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(environment),
            timeout=_PIP_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoWheels(f"pip did not end within {_PIP_S:.0f} s") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            "nothing"
        ]
        raise NoWheels(f"the wheels could not be had: {said[-1][:_WHY_CHARS]}")
