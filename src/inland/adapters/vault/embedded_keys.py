"""`ports.keys` in files of the home: each key wrapped under the factory key, 0600, one file a key.

A key is there or it is not, whatever stops the process. A withdrawal is a file of its own: who
holds the machine can undo it, and where that is too little the tenant's keys belong on a server.
"""

import re
import threading
from collections.abc import Iterator
from typing import Protocol

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.whole import WholeFiles
from inland.adapters.vault.sealing import bound_to, seal, unseal
from inland.domain.errors import Damaged
from inland.domain.ids import is_name
from inland.ports.clock import Entropy
from inland.ports.files import Files
from inland.ports.keys import KEY_BYTES, KeyGone, KeyName, KeyWithdrawn

#: Where they lie in a home; no backup takes anything from there.
ROOT = "keys/vault"
ASSET = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_KEY = "inland vault key v1"


class FactoryKeys(Protocol):
    """`factory_key.FactoryKey`. Each call may raise KeysAway."""

    def __call__(self) -> tuple[bytes, ...]:
        """Those that keys may be wrapped under, the one for new ones first."""
        ...

    def demand(self) -> None: ...
    def is_rotating(self) -> bool: ...
    def begin(self, intent: str, secret: bytes | None = None) -> None: ...
    def intent(self) -> str: ...
    def end(self) -> None: ...
    def forget(self) -> None: ...


class EmbeddedKeys:
    """The keys below `root`. One process writes them; threads may share it."""

    def __init__(
        self,
        files: Files,
        factory_keys: FactoryKeys,
        entropy: Entropy | None = None,
        root: str = ROOT,
    ) -> None:
        self._files = WholeFiles(files, root)
        self._factory_keys = factory_keys
        self._entropy = entropy or SystemEntropy()
        self._keys = f"{root}/keys"
        self._marks = f"{root}/withdrawn"
        self._lock = threading.Lock()
        self._rotation = threading.Lock()
        for folder in (self._keys, self._marks):
            self._files.need_folder(folder)

    def make(self, name: KeyName) -> bytes:
        with self._lock:
            self._refuse_withdrawn(name.tenant)
            wrapping, at = self._factory_keys(), self._at(name)
            wrapped = self._files.read(at)
            if wrapped is not None:
                return _unwrapped(wrapping, name, wrapped)
            key = self._entropy(KEY_BYTES)
            self._files.write(at, seal(wrapping[0], _bound(name), key, self._entropy))
            return key

    def open(self, name: KeyName) -> bytes:
        self._refuse_withdrawn(name.tenant)
        try:
            return self._opened(name)
        except Damaged:
            with self._lock:  # it may just have been put under another factory key
                return self._opened(name)

    def exists(self, name: KeyName) -> bool:
        return self._files.exists(self._at(name))

    def destroy(self, name: KeyName) -> None:
        with self._lock:
            self._files.destroy(self._at(name))

    def withdraw(self, tenant: str) -> None:
        with self._lock:
            self._files.write(self._mark(tenant), b"")

    def give_back(self, tenant: str) -> None:
        with self._lock:
            self._files.remove(self._mark(tenant))

    def withdrawn(self) -> frozenset[str]:
        return frozenset(self._files.list(self._marks))

    def names(self) -> Iterator[KeyName]:
        for tenant in self._files.list(self._keys):
            for asset in self._files.list(f"{self._keys}/{tenant}"):
                yield KeyName(tenant, asset)

    def demand(self) -> None:
        self._factory_keys.demand()

    def rotating(self) -> str | None:
        return self._factory_keys.intent() if self._factory_keys.is_rotating() else None

    def rotate(self, intent: str, secret: bytes | None = None) -> int:
        """Keys open, are made and destroyed meanwhile; a key that goes is not brought back."""
        with self._rotation:
            if not self._factory_keys.is_rotating():
                with self._lock:  # what is made from now on is under the new one
                    self._factory_keys.begin(intent, secret)
            wrapping = self._factory_keys()
            done = sum(self._rewrapped(name, wrapping) for name in self.names())
            self._factory_keys.end()
            return done

    def rotated(self) -> None:
        with self._rotation:
            self._factory_keys.forget()

    def _opened(self, name: KeyName) -> bytes:
        wrapping = self._factory_keys()
        wrapped = self._files.read(self._at(name))
        if wrapped is None:
            raise KeyGone(name)
        return _unwrapped(wrapping, name, wrapped)

    def _rewrapped(self, name: KeyName, wrapping: tuple[bytes, ...]) -> bool:
        """Whether it is under the new one now and was there at all. Raises Damaged: then the older
        key is still needed, and the rotation not over."""
        with self._lock:
            at = self._at(name)
            wrapped = self._files.read(at)
            if wrapped is None:
                return False
            if unseal(wrapping[0], _bound(name), wrapped) is None:
                key = _unwrapped(wrapping[1:], name, wrapped)
                self._files.replace(at, seal(wrapping[0], _bound(name), key, self._entropy))
            return True

    def _refuse_withdrawn(self, tenant: str) -> None:
        if self._files.exists(self._mark(tenant)):
            raise KeyWithdrawn(tenant)

    def _at(self, name: KeyName) -> str:
        assert is_name(name.tenant), name
        assert ASSET.match(name.asset), name
        return f"{self._keys}/{name.tenant}/{name.asset}"

    def _mark(self, tenant: str) -> str:
        assert is_name(tenant), tenant
        return f"{self._marks}/{tenant}"


def _bound(name: KeyName) -> bytes:
    return bound_to(_KEY, name.tenant, name.asset)


def _unwrapped(wrapping: tuple[bytes, ...], name: KeyName, wrapped: bytes) -> bytes:
    for one in wrapping:
        key = unseal(one, _bound(name), wrapped)
        if key is not None and len(key) == KEY_BYTES:
            return key
    raise Damaged(f"the key of {name.asset}", "its file is not what was written")
