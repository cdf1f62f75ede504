"""Secrets in files: passphrases, tokens, access keys. Read anew each time: who renews one writes
the file, and nothing of it is in an argument or a log."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from inland.ports.keys import KeysAway

SECRET_LIMIT_BYTES = 4096
#: Least length of a passphrase, token or credential.
SECRET_LEAST_BYTES = 8
_ROOT = 0


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds one. `is_credential`: systemd put it there for this service."""

    path: Path
    is_credential: bool = False

    def read(self) -> bytes:
        """Its bytes without the ends of lines behind them. Raises KeysAway."""
        try:
            with self.path.open("rb") as file:
                if self._is_open_to_others(os.fstat(file.fileno())):
                    raise KeysAway(f"{self.path} is open to others: chmod 600 {self.path}")
                data = file.read(SECRET_LIMIT_BYTES + 1)
        except OSError as error:
            raise KeysAway(f"{self.path}: {error.strerror}") from None
        secret = data.rstrip(b"\r\n")
        if not SECRET_LEAST_BYTES <= len(secret) <= SECRET_LIMIT_BYTES:
            least, most = SECRET_LEAST_BYTES, SECRET_LIMIT_BYTES
            raise KeysAway(f"{self.path} must hold {least} to {most} bytes, not {len(secret)}")
        return secret

    def _is_open_to_others(self, told: os.stat_result) -> bool:
        """A credential is root's, and its service's user reads it by an ACL, the mask of which
        stands where the group's permissions do (0440); the group is root's, with nobody in it."""
        closed = stat.S_IRWXG | stat.S_IRWXO
        if self.is_credential and (told.st_uid, told.st_gid) == (_ROOT, _ROOT):
            closed &= ~stat.S_IRGRP
        return bool(told.st_mode & closed)


def read_secret(path: Path) -> bytes:
    """What a private file holds. Raises KeysAway."""
    return SecretFile(path).read()
