"""`ports.secrets` in files: `keys/tenants/TENANT`, `keys/upstreams/DEPLOYMENT` and `keys/operator`,
0600, synced."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from inland.domain.api_keys import split_api_key
from inland.domain.errors import Damaged
from inland.domain.ids import is_name
from inland.domain.snapshot import Secrets

RECORD_KEY_BYTES = 32
_TOKEN_LIMIT_BYTES = 16_384
_WRITING = ".new"


class SecretFolder:
    """The secrets below one `keys/` folder. One process writes it."""

    def __init__(self, keys: Path) -> None:
        self._tenants = keys / "tenants"
        self._upstreams = keys / "upstreams"
        self._operator = keys / "operator"
        self._next_operator = keys / "operator.next"
        for folder in (keys, self._tenants, self._upstreams):
            folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(keys)

    def keep_record_key(self, tenant: str, fresh: bytes) -> None:
        assert len(fresh) == RECORD_KEY_BYTES
        assert is_name(tenant)
        path = self._tenants / tenant
        if not path.exists():
            _write(path, fresh)

    def keep_upstream_key(self, deployment: str, token: str) -> None:
        assert is_name(deployment)
        path = self._upstreams / deployment
        data = token.encode()
        if not path.exists() or path.read_bytes() != data:
            _write(path, data)

    def forget_upstream_key(self, deployment: str) -> None:
        assert is_name(deployment)
        with suppress(FileNotFoundError):
            (self._upstreams / deployment).unlink()
            _sync_folder(self._upstreams)

    def operator_key(self) -> str | None:
        return _key_id(self._operator)

    def keep_next_operator_key(self, text: str) -> None:
        _write(self._next_operator, f"{text}\n".encode())

    def settle_operator_key(self, is_live: Callable[[str], bool]) -> None:
        waits = _key_id(self._next_operator)
        if waits is not None and is_live(waits):
            self._next_operator.rename(self._operator)
        else:
            self._next_operator.unlink(missing_ok=True)
        _sync_folder(self._operator.parent)

    def secrets(self) -> Secrets:
        """All of them. Raises Damaged where a file does not hold what was written."""
        record_keys = {path.name: _record_key(path) for path in _files(self._tenants)}
        upstream_keys = {path.name: _token(path) for path in _files(self._upstreams)}
        return Secrets(record_keys, upstream_keys)


def _key_id(path: Path) -> str | None:
    """The id of the API key in a file; None where there is none."""
    try:
        parts = split_api_key(path.read_bytes()[:_TOKEN_LIMIT_BYTES].decode("latin-1").strip())
    except FileNotFoundError:
        return None
    return parts[0] if parts else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_name(path.name) and path.is_file())


def _record_key(path: Path) -> bytes:
    data = path.read_bytes()
    if len(data) != RECORD_KEY_BYTES:
        raise Damaged(f"keys/tenants/{path.name}", f"it has {len(data)} bytes, not 32")
    return data


def _token(path: Path) -> str:
    data = path.read_bytes()[:_TOKEN_LIMIT_BYTES].strip()
    if not data or not data.isascii():
        raise Damaged(f"keys/upstreams/{path.name}", "it holds no bearer token")
    return data.decode("ascii")


def _write(path: Path, data: bytes) -> None:
    """Whole and durable, or not there: written aside, synced, renamed, and the name synced."""
    aside = path.with_name(f"{_WRITING}{path.name}")
    with suppress(FileNotFoundError):
        aside.unlink()
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    aside.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
