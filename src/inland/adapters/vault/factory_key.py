"""The factory key, under which the embedded keys are wrapped: from a passphrase, a systemd
credential, or a file beside them where neither is configured.

`keys/vault/factory.json` says how it is made and has a check of it, so a wrong passphrase is
noticed before anything is written under it.
"""

import json
import os
import stat
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.whole import WholeFiles
from inland.adapters.vault.sealing import bound_to, seal, unseal
from inland.ports.clock import Entropy
from inland.ports.files import Files
from inland.ports.keys import KEY_BYTES, KeysAway

FORMAT = "inland-factory-key/1"
#: The systemd credential's name.
CREDENTIAL = "inland-vault"
SECRET_LIMIT_BYTES = 4096
#: Least length of a passphrase or credential.
SECRET_LEAST_BYTES = 8
#: scrypt (RFC 7914): 64 MiB and some tenths of a second, once a start.
SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}
_SALT_BYTES = 16
_CHECK = "inland factory key check v1"


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


class FactoryKey:
    """Call it for the key: made at the first call, and kept in memory. Raises KeysAway."""

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
        self._about = f"{root}/factory.json"
        self._key_file = f"{root}/factory.key"
        self._entropy = entropy or SystemEntropy()
        self._costs = scrypt or SCRYPT
        self._lock = threading.Lock()
        self._key: bytes | None = None

    def __call__(self) -> bytes:
        if self._key is None:
            with self._lock:
                if self._key is None:
                    self._key = self._made()
        return self._key

    def _made(self) -> bytes:
        said = self._files.read(self._about)
        if said is None:
            return self._first()
        about = _parsed(said)
        source = about["source"]
        if source != self._secret.source:
            raise KeysAway(
                f"keys/vault is under a {source}, and factory.toml says {self._secret.source}"
            )
        key = self._derived(about)
        if unseal(key, bound_to(_CHECK), bytes.fromhex(about["check"])) is None:
            raise KeysAway(f"the {source} is not the one that keys/vault was made under")
        return key

    def _first(self) -> bytes:
        about: dict[str, Any] = {"format": FORMAT, "source": self._secret.source.value}
        if self._secret.source is Source.FILE:
            if self._files.read(self._key_file) is None:
                self._files.write(self._key_file, self._entropy(KEY_BYTES))
        else:
            about |= {"salt": self._entropy(_SALT_BYTES).hex(), **self._costs}
        key = self._derived(about)
        about["check"] = seal(key, bound_to(_CHECK), b"", self._entropy).hex()
        text = json.dumps(about, sort_keys=True) + "\n"
        self._files.write(self._about, text.encode())
        return key

    def _derived(self, about: dict[str, Any]) -> bytes:
        if self._secret.source is Source.FILE:
            key = self._files.read(self._key_file)
            if key is None or len(key) != KEY_BYTES:
                raise KeysAway("keys/vault/factory.key is missing or damaged")
            return key
        assert self._secret.file is not None
        salt = bytes.fromhex(about["salt"])
        made = Scrypt(salt=salt, length=KEY_BYTES, n=about["n"], r=about["r"], p=about["p"])
        return made.derive(read_secret(self._secret.file))


def read_secret(path: Path) -> bytes:
    """A passphrase, credential or token: a private file's first line. Raises KeysAway."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeysAway(f"{path} is open to others: chmod 600 {path}")
            data = file.read(SECRET_LIMIT_BYTES + 1)
    except OSError as error:
        raise KeysAway(f"{path}: {error.strerror}") from None
    secret = data.rstrip(b"\r\n")
    if not SECRET_LEAST_BYTES <= len(secret) <= SECRET_LIMIT_BYTES:
        least, most = SECRET_LEAST_BYTES, SECRET_LIMIT_BYTES
        raise KeysAway(f"{path} must hold {least} to {most} bytes, and holds {len(secret)}")
    return secret


def _parsed(said: bytes) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(said)
        if about["format"] != FORMAT:
            raise KeysAway(f"keys/vault/factory.json is {about['format']!r}: a newer Inland's?")
        about["source"] = Source(about["source"])
        bytes.fromhex(about["check"])
    except (ValueError, KeyError, TypeError):
        raise KeysAway("keys/vault/factory.json is damaged") from None
    return about
