"""What lines and batches need of the world: our own gateways, a program that reads data, and a
base's signature."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import inland
from inland import settings
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.openai.own_gateway import OwnGateway
from inland.adapters.training.installed import InstalledTrainer
from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.batches.room import BatchRoom, batch_room
from inland.decide.scheduling import cores_beside
from inland.domain.errors import BadInput, Damaged
from inland.domain.plant import Model
from inland.lines.reading import Program
from inland.lines.room import LineRoom, Outside, line_room
from inland.lines.steps.train import Cores, Shop
from inland.plant.asset_room import AssetRoom, Workers, asset_room
from inland.plant.changes import Changes
from inland.plant.holders import Holders
from inland.plant.refitting import Told
from inland.plant.release_traffic import ReleaseTraffic
from inland.plant.releases import Releases
from inland.plant.vault import Parts as VaultParts
from inland.ports.plaintext import Plaintext
from inland.ports.runner import Runner

#: How long a base's weights may take to be held to what was signed, in seconds.
VERIFY_S = 3600
_PACKAGE = Path(inland.__file__).parent
_GGUF, _CHUNK_BYTES = b"GGUF", 4 << 20


def rooms(
    home: Home,
    changes: Changes,
    kept: VaultParts,
    said: Declaration,
    workers: Workers,
    heard: Callable[[], Iterable[Told]],
) -> tuple[AssetRoom, Releases, LineRoom, BatchRoom]:
    """What is done with assets, the models released of them, the lines that make both, and batches.
    `heard`: what gateways told last."""
    limits, vault, aside = said.limits, kept.vault, workers.aside
    assets = asset_room(changes, vault, kept.blobs, said.site, limits, aside, workers)
    world = outside(home, settings.from_environment(), assets.holders, workers)
    vetted, traffic = assets.holders.vetted, ReleaseTraffic(heard, assets.feedback.thumbs)
    releases = Releases(changes, assets.rulings, vetted, world.signer, traffic.of)
    lines = line_room(changes, assets, workers, limits, releases, world, aside)
    gateways = own_gateways(home)
    batches = batch_room(changes, assets, lines.readers, gateways, limits, aside)
    return assets, releases, lines, batches


def outside(home: Home, given: settings.Settings, holders: Holders, workers: Workers) -> Outside:
    """`given`: what control's environment says."""
    words = (sys.executable, "-P", "-m", "inland.bootstrap.evaluation")

    def verify(model: Model) -> None:
        if model.asset is not None:
            holders.vetted(model.asset)
        else:
            _verified(home, model.id, given.child_environment)

    weights, cores = _weights(home, workers), _cores(workers.runner)
    shop = Shop(InstalledTrainer(given.trainer), weights, cores)
    signer = ModelsKey(Shelf(home.root))
    return Outside(own_gateways(home), Program(words, (str(_PACKAGE),)), verify, shop, signer)


def _weights(home: Home, workers: Workers) -> Callable[[Model], Plaintext]:
    def held(model: Model) -> Plaintext:
        """What lies in the home, where whoever trains sees nothing: a copy that nobody changes."""
        path = home.root / str(model.file)
        try:
            size = path.stat().st_size
            return workers.memory.hold(size, _verified_chunks(model, path))
        except OSError as error:
            raise Damaged(f"model {model.id}", f"{path}: {error.strerror}") from None

    return held


def _verified_chunks(model: Model, path: Path) -> Iterator[bytes]:
    found = hashlib.sha256()
    with path.open("rb") as file:
        if file.read(len(_GGUF)) != _GGUF:
            raise BadInput("base", f"the weights of model {model.id} are no GGUF: none else trains")
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
            yield chunk
    if f"sha256:{found.hexdigest()}" != model.digest:
        raise Damaged(f"model {model.id}", "its weights are not what the factory knows of it")


def _cores(runner: Runner) -> Callable[[], Cores]:
    def found() -> Cores:
        ours = tuple(sorted(os.sched_getaffinity(0)))
        engines = [one.pid for one in runner.processes() if one.replica and one.pid]
        free = cores_beside([_affinity(pid) for pid in engines], ours)
        return Cores(free, shared=False) if free else Cores(ours, shared=bool(engines))

    return found


def _affinity(pid: int) -> set[int]:
    try:
        return os.sched_getaffinity(pid)
    except ProcessLookupError:
        return set()


def own_gateways(home: Home) -> OwnGateway:
    """Where this factory's own work asks for tokens."""
    return OwnGateway(home.root / "run", home.gateway_sockets)


def _verified(home: Home, model: str, environment: Mapping[str, str]) -> None:
    """By a child: what it takes to verify a signature is much, and control does without otherwise.
    Raises Damaged."""
    argv = [sys.executable, "-P", "-m", "inland", "model", "verify", model, "--json"]
    argv += ["--home", str(home.root)]
    done = subprocess.run(
        argv, capture_output=True, timeout=VERIFY_S, check=False, env=dict(environment), cwd="/"
    )
    try:
        (told,) = json.loads(done.stdout)
        verified, why = told["verified"] is True, str(told["why"])
    except (ValueError, KeyError, TypeError):
        verified, why = False, done.stderr.decode(errors="replace").strip()[-300:]
    if not verified:
        raise Damaged(f"model {model}", why)
