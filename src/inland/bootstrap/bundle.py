"""Bundles put together: a factory's wheels, models and policies into one file, and out of one."""

import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import inland
from inland.adapters.bundle import container
from inland.adapters.bundle.key import BundleKey
from inland.adapters.bundle.manifest import NOTE_BYTES, WHAT, Entry, Manifest, demand_path
from inland.adapters.bundle.wheels import gather, requirements
from inland.adapters.files.clock import SystemClock
from inland.adapters.home.layout import Home
from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.digest import Progress, file_sha256, settle, sync_folder
from inland.adapters.weights.leftovers import hold, sweep
from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.bootstrap.models import verified, weights_here
from inland.domain.errors import Conflict, Damaged
from inland.settings import Settings

SPARE_BYTES = 64 << 20
_ASIDE = ".inland-bundle-"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that is there. `vkey` checks it; `sha256` is of the file."""

    file: Path
    bytes: int
    sha256: str
    files: int
    vkey: str


def bundle_key(home: Home) -> BundleKey:
    """The home's key for bundles."""
    return BundleKey(home.root / "keys" / "bundles.key")


def export(
    home: Home, target: Path, wheels: Path | None, given: Settings, say: Say, progress: Progress
) -> Exported:
    """Write the bundle to `target`, whole or not at all. Raises Conflict, Damaged, NoWheels."""
    if os.path.lexists(target):
        raise Conflict(str(target), "is there already; name another file, or remove it")
    key = bundle_key(home)
    with _aside(target) as aside:
        say("gathering wheels")
        (aside / "wheels").mkdir()
        gather(aside / "wheels", wheels, given.environment)
        (aside / "requirements").write_text(requirements(aside / "wheels"))
        say("hashing")
        paths = dict(_paths(home, aside))
        manifest = _manifest(paths)
        text = manifest.text()
        note = key.sign(text)
        if len(note.encode()) > NOTE_BYTES:
            raise Conflict(WHAT, f"would hold {len(paths)} files: too many for one manifest")
        say("writing")
        with (aside / "bundle").open("xb") as out:
            digest = container.write(out, note, manifest, paths.__getitem__, progress)
        container.verify(aside / "bundle", key.vkey)
        settle(aside / "bundle", target)
    size = target.stat().st_size
    return Exported(target, size, digest, len(paths), key.vkey)


def _paths(home: Home, aside: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the bundle, by its path in it."""
    yield "requirements", aside / "requirements"
    for wheel in (aside / "wheels").glob("*.whl"):
        yield f"wheels/{wheel.name}", wheel
    for policy in home.policies.glob("*.cedar*"):
        yield f"policies/{policy.name}", policy
    for row in verified(home, None):
        if not row["verified"]:
            raise Damaged(f"model {row['name']}", f"{row['why']}; it goes into no bundle")
    shelf = Shelf(home.root)
    for name, weights in weights_here(home).items():
        yield f"models/{name}/bom.cdx.json", shelf.bom(name)
        if weights.is_dir():
            for one in weights.rglob("*"):
                if one.is_file():
                    yield f"models/{name}/weights/{one.relative_to(weights)}", one
        else:
            yield f"models/{name}/weights{weights.suffix}", weights


def _manifest(paths: dict[str, Path]) -> Manifest:
    entries = []
    for path in sorted(paths):
        demand_path(path)
        entries.append(Entry(path, paths[path].stat().st_size, file_sha256(paths[path])))
    head = {
        "created": SystemClock().unix_us() // 1_000_000,
        "inland": inland.__version__,
        "platform": sysconfig.get_platform(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    return Manifest(head, tuple(entries))


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle that was proved and lies unpacked in `folder`."""

    folder: Path
    inland: str
    files: int
    bytes: int
    models: tuple[str, ...]


def import_(
    file: Path, vkey: str, folder: Path, cache: WeightsCache, say: Say, progress: Progress
) -> Imported:
    """Unpack the bundle into `folder`, once all of it is proved. Raises Conflict, Damaged.

    The embedded model goes into the machine's cache as well, where a first start finds it.
    """
    if os.path.lexists(folder):
        raise Conflict(str(folder), "is there already; name another folder, or remove it")
    say("checking")
    manifest = container.verify(file, vkey, progress)
    free = shutil.disk_usage(folder.parent).free
    if free < manifest.bytes + SPARE_BYTES:
        why = f"has room for {free} bytes, {manifest.bytes + SPARE_BYTES} are needed"
        raise Conflict(str(folder.parent), why)
    say("unpacking")
    with _aside(folder) as aside:
        container.unpack(file, vkey, aside / "whole", progress)
        (aside / "whole").rename(folder)
        sync_folder(folder.parent)
    for entry in manifest.entries:
        if entry.sha256 == SMOLLM2.file_sha256:
            cache.keep(SMOLLM2, folder / entry.path)
    names = {one.path.split("/")[1] for one in manifest.entries if one.path.startswith("models/")}
    made = str(manifest.head.get("inland"))
    return Imported(folder, made, len(manifest.entries), manifest.bytes, tuple(sorted(names)))


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A private folder beside `target`, gone afterwards; those that kills left go first."""
    if not target.parent.is_dir():
        raise Conflict(str(target.parent), "is not a folder")
    sweep(target.parent, _ASIDE)
    folder = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=target.parent))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        hold(fd)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(fd)
