"""A rotation of the factory key that is killed half way, and what a restart makes of it.

The home is opened by the new passphrase, or by the old one where nothing had begun.
"""

from collections import Counter
from pathlib import Path

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.vault.embedded_keys import ROOT
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.bootstrap.books import database
from inland.domain.errors import InlandError
from inland.ledger import canonical
from inland.ports.keys import KeyName, KeysAway
from tests.chaos.fuse import Act, Fuse
from tests.unit.plant.parts import Plant
from tests.vaults import needed_folders

OLD, NEW = "correct horse", "battery staple"
CHEAP = {"n": 2, "r": 1, "p": 1}
NAMES = [KeyName("acme", f"asset-{n}") for n in range(6)]


def plant(home: Path, passphrase: str) -> Plant:
    """As control has it after a start with that passphrase."""
    file = home.parent / f"{home.name}.passphrase"
    file.write_text(passphrase)
    file.chmod(0o600)
    files, secret = Disk(home), FactorySecret(Source.PASSPHRASE, file)
    needed_folders(files)
    made = Plant(home, factory_keys=FactoryKey(files, secret, ROOT, scrypt=CHEAP))
    made.entropy = made.changes.entropy = SystemEntropy()
    return made


def make(home: Path) -> None:
    """A home with some keys; what they are stands beside it."""
    home.mkdir()
    made = plant(home, OLD)
    for name in NAMES:
        (home.parent / name.asset).write_bytes(made.vault_keys.make(name))
    made.store.close()


def rotate(home: Path, fuse: Fuse) -> None:
    made = plant(home, OLD)
    made.vault_keys.demand()
    (home.parent / f"{home.name}.passphrase").write_text(NEW)
    fuse.lay()
    made.vault_room.rotation.rotate("op")


def ended(home: Path) -> str:
    """How the books say that it came out, once it was settled."""
    store = database(home)
    try:
        with store.read() as transaction:
            rows = transaction.books.log_records(0, 0, 10_000)
        said = [canonical.decode(row.record).get("what") for row in rows]
    finally:
        store.close()
    return next((w for w in ("vault.rotated", "vault.undo") if w in said), "not intended")


def broken(home: Path) -> list[str]:
    """The laws that do not hold in a home that a rotation was killed in, each as a sentence."""
    before = {name: (home.parent / name.asset).read_bytes() for name in NAMES}
    made = plant(home, NEW)
    try:
        made.vault_keys.demand()
    except KeysAway:
        made.store.close()
        made = plant(home, OLD)
    try:
        told = _opens(made, before, "as it was left")
        made.vault_room.look_at_keys()
        told += _opens(made, before, "once it was settled")
        return told + _books(made) + _left_over(home, made)
    except InlandError as error:
        return [f"it does not start again: {error}"]
    finally:
        made.store.close()


def _opens(made: Plant, before: dict[KeyName, bytes], when: str) -> list[str]:
    return [f"{n.asset} {when}" for n in NAMES if made.vault_keys.open(n) != before[n]]


def _books(made: Plant) -> list[str]:
    """An intent before its end, and each ended once."""
    told, begun, ended = [], set(), Counter[str]()
    for record in made.records():
        if record.get("what") == "vault.rotate":
            begun.add(record["id"])
        elif record.get("what") in {"vault.rotated", "vault.undo"}:
            ended[record["details"]["intent"]] += 1
            if record["details"]["intent"] not in begun:
                told.append("it ended before it was intended")
    return told + [f"intent {one} ended {ended[one]} times" for one in begun if ended[one] != 1]


def _left_over(home: Path, made: Plant) -> list[str]:
    folder = home / ROOT
    told = [f"{path.name} is left" for path in (folder / ".aside").iterdir()]
    if made.vault_keys.rotating() is not None or (folder / "factory.next.json").exists():
        told.append("it is still under way")
    return told


ACTS = {"vault-key": Act(make, rotate, broken, ended)}
