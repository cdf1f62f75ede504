"""All that can be looked at without a running factory: the machine, the home, models, books."""

from pathlib import Path

from inland.adapters.home import factory_toml
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.host.machine import machine
from inland.adapters.host.private import private
from inland.adapters.weights.digest import demand
from inland.bootstrap.books import check_ledger
from inland.domain.errors import InlandError


def examine(home: Home) -> list[Finding]:
    """Every finding. Raises what reading factory.toml raises: without it there is no home."""
    declared = factory_toml.read(home.factory_toml)
    weights = {name: path for name, path, _ in _files(home, declared) if path.is_file()}
    size = sum(path.stat().st_size for path in weights.values())
    models = [_model(name, path, digest) for name, path, digest in _files(home, declared)]
    return [*machine(home.root, size), private(home.root), *models, _ledger(home.root)]


def _files(home: Home, declared: Declaration) -> list[tuple[str, Path, str]]:
    return [
        (model.id, home.root / model.file, model.digest)
        for model in declared.models
        if model.file is not None and model.digest is not None
    ]


def _model(name: str, path: Path, digest: str) -> Finding:
    what = f"model {name}"
    try:
        demand(path, digest.removeprefix("sha256:"))
    except FileNotFoundError:
        return Finding(
            what, Health.BAD, f"{path} is missing", "inland up brings it, or put it back"
        )
    except (InlandError, OSError) as error:
        return Finding(what, Health.BAD, str(error), "remove the file and start again")
    return good(what, digest)


def _ledger(home: Path) -> Finding:
    try:
        checked = check_ledger(home)
    except (InlandError, OSError) as error:
        return Finding("ledger", Health.BAD, str(error), "start the factory once, then look again")
    if checked.problems:
        told = f"{len(checked.problems)} problems: {checked.problems[0]}"
        remedy = "inland ledger check names them all; keep a copy of the home before anything else"
        return Finding("ledger", Health.BAD, told, remedy)
    return good("ledger", f"{checked.counted.get('records', 0)} records agree")
