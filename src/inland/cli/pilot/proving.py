"""What the pilot says, checked by the file that an auditor takes away: it runs alone, knows nothing
of this package, and gets what it checks as files."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inland.adapters.home.layout import Home
from inland.cli.failures import Failed
from inland.cli.files import put_pieces, put_whole
from inland.cli.pilot.story import Played
from inland.cli.release_proof import Advance, proof, refusal_proof

if TYPE_CHECKING:
    from inland.client import FactoryClient

#: A proof of some thousand receipts takes seconds.
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Prover:
    """Puts evidence into `folder`, and has `verifier` check it."""

    factory: "FactoryClient"
    home: Home
    verifier: Path
    folder: Path

    def keys(self) -> None:
        """The two public keys, as an auditor would have got them before."""
        from inland.bootstrap.books import log_keys

        logs = log_keys(self.home.root)
        put_whole(
            self.folder / "factory.vkey", "".join(f"{one['vkey']}\n" for one in logs).encode()
        )
        signer = self.home.root / "keys" / "models.pub"
        if signer.exists():
            put_whole(self.folder / "models.pub", signer.read_bytes())

    def round(self, one: Played, advance: Advance) -> dict[str, Any]:
        """What is proved of a round: its release, or that it was refused. Raises Failed where the
        proof is not accepted."""
        file = self.folder / f"{one.round}.proof"
        if one.is_released and one.release is not None:
            pieces = proof(self.factory, one.release, advance)
        else:
            pieces = refusal_proof(self.factory, one.run, advance)
        put_pieces(file, pieces)
        return self._verified(file, "--signer", str(self.folder / "models.pub"))

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is proved of an answer. Raises Failed where it is refused."""
        file = self.folder / "answer.receipt"
        put_whole(file, self.factory.receipt(asked["receipt"]))
        words = ("--entry", asked["entry"]) if asked["entry"] else ()
        return self._verified(file, *words)

    def _verified(self, file: Path, *words: str) -> dict[str, Any]:
        argv = [sys.executable, "-I", str(self.verifier), str(file), "--json"]
        argv += ["--vkey", str(self.folder / "factory.vkey"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if done.returncode != 0:
            why = (done.stdout.strip() or done.stderr.strip())[-300:]
            raise Failed(f"{self.verifier.name} does not accept {file.name}: {why}")
        told: dict[str, Any] = json.loads(done.stdout)
        return told
