"""What the factory left with each keeper of its vault, so that it knows it again: a server that
keeps no key of its, or a folder that nothing is mounted on, is not taken for the one it used.

A mark is a random name, no secret. It lies in `keys/keepers/NAME`, beside other keys and in every
backup; whoever wants a keeper to be another one from now on removes that file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.whole import WholeFiles
from inland.ports.blobs import Blobs, BlobsAway
from inland.ports.clock import Entropy
from inland.ports.files import Files

#: Where they are remembered, below the home.
ROOT = "keys/keepers"
#: Of whoever keeps the keys; a store's has its own name, and none of a place is written so.
KEYS = "_keys"
#: Where a store has its own: a blob of that name.
BLOB = "mark"
_BYTES = 8
_MARK = re.compile(rb"[0-9a-f]{16}\n\Z")


class Marks:
    """Those of one factory, in its home. Threads may share it."""

    def __init__(self, files: Files, entropy: Entropy | None = None) -> None:
        self._files = WholeFiles(files, ROOT)
        self._entropy = entropy or SystemEntropy()

    def of(self, keeper: str) -> "Mark":
        """Of the keeper that has that name."""
        return Mark(self._files, f"{ROOT}/{keeper}", self._entropy)


@dataclass(frozen=True, slots=True)
class Mark:
    """One keeper's. `file`: where it is remembered, below the home."""

    files: WholeFiles
    file: str
    entropy: Entropy

    def known(self) -> str | None:
        """The mark that was left; None where none was, or it was forgotten; empty where the file
        is damaged, and no keeper is known by it."""
        data = self.files.read(self.file)
        if data is None:
            return None
        return data[:-1].decode() if _MARK.match(data) else ""

    def made(self) -> str:
        """A new one, to be left with the keeper before it is remembered."""
        return self.entropy(_BYTES).hex()

    def remember(self, mark: str) -> None:
        """It was left there, durably."""
        self.files.write(self.file, f"{mark}\n".encode())

    @property
    def remedy(self) -> str:
        """What to do where another keeper is meant."""
        return f"where this one is to take its place from now on remove {self.file}"


class MarkedBlobs:
    """`ports.blobs` of a store that must be the one that it was. Threads may share it.

    A folder is asked each time, for what it stands on may be unmounted at any; a server once, and
    whenever it is asked whether it is there.
    """

    def __init__(self, blobs: Blobs, mark: Mark, where: str) -> None:
        self._blobs = blobs
        self._mark = mark
        self._where = where
        self._is_known = False

    def demand(self) -> None:
        self._blobs.demand()
        self._demand_it(anew=True)

    def put(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._demand_it()
        self._leave_mark()
        self._blobs.put(name, data)

    def get(self, name: str) -> memoryview | None:
        self._demand_it()
        return self._blobs.get(name)

    def may_err(self, name: str) -> bool:
        return self._blobs.may_err(name)

    def remove(self, name: str) -> None:
        self._demand_it()
        self._blobs.remove(name)

    def names(self, under: str = "") -> Iterator[str]:
        self._demand_it()
        return self._blobs.names(under)

    def _demand_it(self, *, anew: bool = False) -> None:
        mark = self._mark.known()
        if mark is None:
            return
        served = self._blobs.may_err(BLOB)
        if served and self._is_known and not anew:
            return
        self._is_known = bool(mark) and self._blobs.get(f"{BLOB}/{mark}") is not None
        if not self._is_known:
            told = f"{self._where} is not the store that was used under this name: its mark is"
            raise BlobsAway(f"{told} not there. Mount or name that one; {self._mark.remedy}")

    def _leave_mark(self) -> None:
        """Before the first thing that is put there."""
        if self._mark.known() is None:
            mark = self._mark.made()
            self._blobs.put(f"{BLOB}/{mark}", b"")
            self._mark.remember(mark)
