"""The models of one home: weights in `models/`, and what was signed of each.

In `models/signed/NAME/` lies `weights.sig`, which signs the weights, `bom.cdx.json`, the bill of
materials, and `bom.sig`, which signs that.
"""

from dataclasses import dataclass
from pathlib import Path

from inland.adapters.weights.digest import file_sha256
from inland.adapters.weights.statement import LIMIT_BYTES, signed_digest
from inland.domain.errors import Damaged


@dataclass(frozen=True, slots=True)
class Shelf:
    """Of the home at `root`."""

    root: Path

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def private_key(self) -> Path:
        """It signs models, and nothing else."""
        return self.root / "keys" / "models.key"

    @property
    def public_key(self) -> Path:
        return self.root / "keys" / "models.pub"

    def signature(self, name: str) -> Path:
        return self.models / "signed" / name / "weights.sig"

    def bom(self, name: str) -> Path:
        return self.models / "signed" / name / "bom.cdx.json"

    def bom_signature(self, name: str) -> Path:
        return self.models / "signed" / name / "bom.sig"

    def signed(self, name: str) -> str:
        """The digest that was signed for the model, in hex. Raises Damaged."""
        return self._signed(self.signature(name), f"model {name}")

    def verify(self, name: str, weights: Path, sha256: str) -> None:
        """Raise Damaged unless the weights are those that were signed, and have that digest."""
        if self.signed(name) != sha256:
            raise Damaged(f"model {name}", "what was signed is not what the factory knows of it")
        try:
            found = file_sha256(weights)
        except OSError as error:
            raise Damaged(f"model {name}", f"{weights} cannot be read ({error.strerror})") from None
        if found != sha256:
            why = f"its sha256 is {found[:16]}…, and {sha256[:16]}… was signed"
            raise Damaged(f"model {name}", why)

    def verified_bom(self, name: str) -> bytes:
        """The bill of materials, signed. Raises Damaged."""
        what, path = f"the bill of materials of model {name}", self.bom(name)
        signed = self._signed(self.bom_signature(name), what)
        data = _read(path, what)
        if signed != file_sha256(path):
            raise Damaged(what, "is not the one that was signed")
        return data

    def _signed(self, path: Path, what: str) -> str:
        return signed_digest(_read(path, what), _read(self.public_key, what), what)


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise Damaged(what, f"is not signed: there is no {path.name}") from None
    if len(data) > LIMIT_BYTES:
        raise Damaged(what, f"{path.name} is larger than {LIMIT_BYTES} bytes")
    return data
