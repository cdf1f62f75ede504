"""How weights come in: brought to a private file, inspected, named, signed, and only then there.

What is refused leaves nothing behind; what was cut is gone on from by the next try.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from inland.adapters.egress.fetching import NotFetched, TooLarge
from inland.adapters.weights import bom, signing
from inland.adapters.weights.digest import file_sha256, keep, settle
from inland.adapters.weights.examined import examined
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.inspection import Inspected, inspect
from inland.adapters.weights.leftovers import forget, hold
from inland.adapters.weights.opened import FILE_LIMIT_BYTES, opened
from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.sources.source import Source
from inland.domain.errors import Conflict, Damaged, InlandError
from inland.ports.intake import Arrived, Order, Progress

#: What a home keeps free beside what is brought in.
SPARE_BYTES = 64 << 20
#: What a cut left is there to be gone on from for so long.
KEPT_S = 7 * 24 * 3600.0
_ARRIVING, _LOCK = "arriving", ".lock"


@dataclass
class NotTaken(InlandError):
    """A model that was refused: nothing of it is here."""

    model: str
    why: str

    def __str__(self) -> str:
        return f"model {self.model} was not taken in: it {self.why}"


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes models into the home of `shelf`, inspecting them under `isolation`."""

    shelf: Shelf
    isolation: str

    def take(self, order: Order, source: Source, progress: Progress) -> Arrived:
        """Bring, inspect, sign. Raises NotTaken, Conflict, and what the source raises."""
        with self._arriving(order) as part:
            try:
                brought = source.bring(part, _room(part), progress)
                seen, digest, size = self._judged(order, part, brought.sha256)
            except Refused as error:
                _clear(part)
                raise NotTaken(order.name, str(error)) from None
            except Exception as error:
                if not isinstance(error, NotFetched) or isinstance(error, TooLarge):
                    _clear(part)  # none that the next try could go on from
                raise
            file = f"models/{order.name}.{seen.kind}"
            settle(part, self.shelf.root / file)
            _clear(part)
        licence = order.licence or seen.licence or brought.licence
        arrived = _arrived(file, digest, size, licence, seen, brought.hosts)
        try:
            self.vouch(order.name, order.source, arrived)
        except BaseException:  # nothing lies here that nobody vouches for
            (self.shelf.root / file).unlink(missing_ok=True)
            raise
        return arrived

    def admit(self, name: str, file: str, digest: str, licence: str) -> Arrived:
        """Inspect and sign weights that lie here already, whose hash the operator declares.

        Raises NotTaken, Damaged.
        """
        try:
            seen, size = examined(self.shelf.root / file, self.isolation)
        except Refused as error:
            raise NotTaken(name, str(error)) from None
        arrived = _arrived(file, digest, size, licence or seen.licence, seen, ())
        self.vouch(name, "factory.toml", arrived)
        return arrived

    def vouch(self, name: str, source: str, arrived: Arrived) -> None:
        """Sign a model that is here, and write its bill of materials. Raises Damaged where it is
        not what it was when it was inspected; then neither is there."""
        try:
            self._vouch(name, source, arrived)
        except BaseException:
            shutil.rmtree(self.shelf.signature(name).parent, ignore_errors=True)
            raise

    def _vouch(self, name: str, source: str, arrived: Arrived) -> None:
        shelf = self.shelf
        signing.ensure_key(shelf)
        folder = shelf.signature(name).parent
        for one in (folder.parent, folder):
            one.mkdir(mode=0o700, exist_ok=True)
        more = {
            "source": source,
            "format": arrived.kind,
            "architecture": arrived.architecture,
            "tensors": str(arrived.tensors),
            "parameters": str(arrived.parameters),
            "bytes": str(arrived.bytes),
            "inspected-under": arrived.isolation,
        }
        told = bom.Facts(name, arrived.sha256, arrived.licence, more)
        keep(shelf.bom(name), bom.document(told))
        signing.sign(shelf, shelf.bom(name), shelf.bom_signature(name))
        signing.sign(shelf, shelf.root / arrived.file, shelf.signature(name))
        if shelf.signed(name) != arrived.sha256:
            raise Damaged(f"model {name}", "it is not what it was when it was inspected")

    def _judged(self, order: Order, part: Path, said: str | None) -> tuple[Inspected, str, int]:
        """What the file is, its digest and size. Raises Refused."""
        with opened(part) as file:
            found = file_sha256(Path(f"/proc/self/fd/{file.descriptor}"))
            for wanted, whose in ((order.sha256, "that was asked for"), (said, "its source says")):
                if wanted is not None and found != wanted:
                    raise Refused(f"has the sha256 {found[:16]}…, not the {wanted[:16]}… {whose}")
            return inspect(file, self.isolation), found, file.size

    @contextmanager
    def _arriving(self, order: Order) -> Iterator[Path]:
        """Where a source's file is brought to, by one at a time. What one store sent is not gone on
        with from another."""
        folder = self.shelf.models / _ARRIVING
        folder.mkdir(mode=0o700, exist_ok=True)
        forget(folder, KEPT_S)
        whence = f"{order.source}\n{order.endpoint}\n{order.region}"
        part = folder / sha256(whence.encode()).hexdigest()[:32]
        lock = part.with_name(part.name + _LOCK)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _hold_only(fd, lock, order.source)
            try:
                yield part
            finally:
                lock.unlink()
                with suppress(OSError):  # another source's are in it
                    folder.rmdir()
        finally:
            os.close(fd)


def _hold_only(fd: int, lock: Path, source: str) -> None:
    """Raise Conflict where another holds the lock, or had it until just now."""
    try:
        hold(fd)
        ours = os.path.samestat(os.fstat(fd), lock.stat())
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise Conflict(source, "is being brought in just now")


def _room(part: Path) -> int:
    """How large a file may be: what an earlier try left of it takes no room again."""
    has = sum(one.stat().st_size for one in part.parent.glob(f"{part.name}*"))
    return min(FILE_LIMIT_BYTES, max(0, shutil.disk_usage(part.parent).free + has - SPARE_BYTES))


def _arrived(
    file: str, digest: str, size: int, licence: str, seen: Inspected, hosts: tuple[str, ...]
) -> Arrived:
    return Arrived(
        file=file,
        sha256=digest,
        bytes=size,
        licence=licence,
        kind=seen.kind,
        tensors=seen.tensors,
        parameters=seen.parameters,
        architecture=seen.architecture,
        isolation=seen.isolation,
        hosts=hosts,
    )


def _clear(part: Path) -> None:
    """Remove all that was brought, the lock left to its holder."""
    for path in part.parent.glob(f"{part.name}*"):
        if not path.name.endswith(_LOCK):
            path.unlink(missing_ok=True)
