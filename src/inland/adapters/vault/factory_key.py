"""The factory key, under which the embedded keys are wrapped: from a passphrase, a systemd
credential, or a file beside them where neither is configured.

`factory.json` says how it is made and has a check of it, so a wrong secret is noticed before
anything is written under it. While one takes another's place `factory.next.json` says the same of
the one that comes, and holds each sealed under the other: either secret opens both.
"""

import json
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.whole import WholeFiles
from inland.adapters.vault.sealing import bound_to, seal, unseal
from inland.adapters.vault.secret import SecretFile
from inland.ports.clock import Entropy
from inland.ports.files import Files
from inland.ports.keys import KEY_BYTES, KeysAway

FORMAT, NEXT_FORMAT = "inland-factory-key/1", "inland-factory-key-rotation/1"
#: The systemd credential's name.
CREDENTIAL = "inland-vault"
#: scrypt (RFC 7914): 64 MiB and some tenths of a second, once a start.
SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}
#: Lies in a home that was restored without its keys, until they are put back.
AWAITED = "awaited"
_SALT_BYTES, _NAME_BYTES = 16, 4
_CHECK, _NEXT = "inland factory key check v1", "inland factory key rotation v1"
_KEY_FILE, _KEY_FILES, _KEY_END = "factory.key", ("factory.key", "factory-"), ".key"

#: What `factory.json` says.
About = dict[str, Any]


class Source(StrEnum):
    """Where the factory key comes from."""

    PASSPHRASE = "passphrase"  # noqa: S105 - the word
    CREDENTIAL = "credential"
    FILE = "file"  # beside what it wraps: it keeps nobody out who can read the home


@dataclass(frozen=True, slots=True)
class FactorySecret:
    """Where the secret is; `file` is None for `Source.FILE`."""

    source: Source
    file: Path | None = None

    def read(self) -> bytes:
        """Raises KeysAway."""
        assert self.file is not None
        return SecretFile(self.file, self.source is Source.CREDENTIAL).read()


class FactoryKey:
    """Call it for the keys, the one to wrap under first: made at the first call, and kept in
    memory. Raises KeysAway. Threads may share it."""

    def __init__(
        self,
        files: Files,
        secret: FactorySecret,
        root: str,
        entropy: Entropy | None = None,
        scrypt: dict[str, int] | None = None,
    ) -> None:
        """`scrypt`: the costs of a key that is made; one that is there has its own."""
        self._files = WholeFiles(files, root)
        self._secret = secret
        self._root = root
        self._about, self._next = f"{root}/factory.json", f"{root}/factory.next.json"
        self._entropy = entropy or SystemEntropy()
        self._costs = scrypt or SCRYPT
        self._lock = threading.Lock()
        self._keys: tuple[bytes, ...] = ()

    def __call__(self) -> tuple[bytes, ...]:
        if not self._keys:
            with self._lock:
                if not self._keys:
                    self._keys = self._opened()
        return self._keys

    def demand(self) -> None:
        """Raise KeysAway where a call would. Nothing is made by it."""
        if self._files.read(self._about) is not None:
            self()
            return
        self._refuse_awaited()
        if self._secret.source is not Source.FILE:
            self._secret.read()

    def is_rotating(self) -> bool:
        """Whether a rotation is under way, or was cut off just before or after its end."""
        return self._files.exists(self._next)

    def begin(self, intent: str, secret: bytes | None = None) -> None:
        """Have a new key from what is configured now; both are good until `end`.

        `secret`: what the present one is under, where that can no longer be read. Raises KeysAway.
        """
        with self._lock:
            before = self._present(secret)
            about, key = self._new()
            said = {
                "format": NEXT_FORMAT,
                "intent": intent,
                "next": about,
                "before": seal(key, bound_to(_NEXT), before, self._entropy).hex(),
                "after": seal(before, bound_to(_NEXT), key, self._entropy).hex(),
            }
            self._write(self._next, said)
            self._keys = (key, before)

    def intent(self) -> str:
        """What `begin` was told, of the rotation under way."""
        said = self._files.read(self._next)
        return "" if said is None else str(_parsed(said, NEXT_FORMAT)["intent"])

    def end(self) -> None:
        """Nothing is under the older key any more: `forget` removes what is left of it."""
        with self._lock:
            said = self._files.read(self._next)
            if said is not None:
                self._write(self._about, _parsed(said, NEXT_FORMAT)["next"])
            self._keys = self._keys[:1]

    def forget(self) -> None:
        """After `end`: files of older keys go, and only then what says that there was a rotation;
        cut off it is done again."""
        with self._lock:
            kept = self._files.read(self._about)
            about = {"source": Source.FILE} if kept is None else _parsed(kept, FORMAT)
            file = about.get("file", _KEY_FILE) if about["source"] == Source.FILE else None
            for name in self._files.list(self._root):
                if name.startswith(_KEY_FILES) and name.endswith(_KEY_END) and name != file:
                    self._files.destroy(f"{self._root}/{name}")
            self._files.destroy(self._next)

    def _opened(self) -> tuple[bytes, ...]:
        said = self._files.read(self._about)
        if said is None:
            self._refuse_awaited()
            about, key = self._new()
            self._write(self._about, about)
            return (key,)
        about, coming = _parsed(said, FORMAT), self._files.read(self._next)
        if coming is None:
            return (self._derived(about),)
        return self._both(about, _parsed(coming, NEXT_FORMAT))

    def _both(self, about: About, coming: About) -> tuple[bytes, ...]:
        """In the midst of a rotation, by the secret of either."""
        if coming["next"]["check"] == about["check"]:
            return (self._derived(about),)
        try:
            key = self._derived(coming["next"])
            older = unseal(key, bound_to(_NEXT), bytes.fromhex(coming["before"]))
        except KeysAway:
            older = self._derived(about)
            found = unseal(older, bound_to(_NEXT), bytes.fromhex(coming["after"]))
            if found is None:
                raise KeysAway("keys/vault/factory.next.json is damaged") from None
            key = found
        if older is None:
            raise KeysAway("keys/vault/factory.next.json is damaged")
        return key, older

    def _present(self, secret: bytes | None) -> bytes:
        """The key that is to be replaced, made where there is none yet."""
        said = None if self._keys else self._files.read(self._about)
        if said is not None:
            about = _parsed(said, FORMAT)
            if about["source"] == Source.FILE:  # whatever is configured now: it lies there
                return self._checked(about, self._file(about))
            if secret is not None:
                return self._checked(about, secret)
        return (self._keys or self._opened())[0]

    def _new(self) -> tuple[About, bytes]:
        """A key from what is configured, and how it is made."""
        about: About = {"format": FORMAT, "source": self._secret.source.value}
        if self._secret.source is Source.FILE:
            key = self._entropy(KEY_BYTES)
            about["file"] = self._free_name()
            self._files.write(f"{self._root}/{about['file']}", key)
        else:
            about |= {"salt": self._entropy(_SALT_BYTES).hex(), **self._costs}
            key = _stretched(about, self._secret.read())
        about["check"] = seal(key, bound_to(_CHECK), b"", self._entropy).hex()
        return about, key

    def _derived(self, about: About) -> bytes:
        """The key that `about` is of, by what is configured now."""
        source = about["source"]
        if source != self._secret.source:
            raise KeysAway(
                f"keys/vault is under a {source}, and factory.toml says {self._secret.source}: "
                f"inland vault rotate puts it under the {self._secret.source}"
            )
        is_file = source == Source.FILE
        return self._checked(about, self._file(about) if is_file else self._secret.read())

    def _checked(self, about: About, secret: bytes) -> bytes:
        source = about["source"]
        key = secret if source == Source.FILE else _stretched(about, secret)
        if unseal(key, bound_to(_CHECK), bytes.fromhex(about["check"])) is None:
            raise KeysAway(f"the {source} is not the one that keys/vault was made under")
        return key

    def _free_name(self) -> str:
        if not self._files.exists(f"{self._root}/{_KEY_FILE}"):
            return _KEY_FILE
        return f"factory-{self._entropy(_NAME_BYTES).hex()}.key"

    def _file(self, about: About) -> bytes:
        name = str(about.get("file", _KEY_FILE))
        key = self._files.read(f"{self._root}/{name}")
        if key is None or len(key) != KEY_BYTES:
            raise KeysAway(f"keys/vault/{name} is missing or damaged")
        return key

    def _refuse_awaited(self) -> None:
        awaited = f"{self._root}/{AWAITED}"
        if self._files.exists(awaited):
            raise KeysAway(
                "this home was restored without its keys: put the copy of keys/vault back, or "
                f"remove {awaited} to begin with new ones, which open nothing that is there"
            )

    def _write(self, path: str, said: About) -> None:
        self._files.write(path, (json.dumps(said, sort_keys=True) + "\n").encode())


def _stretched(about: About, secret: bytes) -> bytes:
    salt = bytes.fromhex(about["salt"])
    return Scrypt(salt=salt, length=KEY_BYTES, n=about["n"], r=about["r"], p=about["p"]).derive(
        secret
    )


def _parsed(said: bytes, form: str) -> About:
    name = "factory.json" if form == FORMAT else "factory.next.json"
    try:
        about: About = json.loads(said)
        if about["format"] != form:
            raise KeysAway(f"keys/vault/{name} is {about['format']!r}: a newer Inland's?")
        whose = about if form == FORMAT else about["next"]
        whose["source"] = Source(whose["source"])
        for sealed in (whose["check"], about.get("before", ""), about.get("after", "")):
            bytes.fromhex(sealed)
    except (ValueError, KeyError, TypeError):
        raise KeysAway(f"keys/vault/{name} is damaged") from None
    return about
