"""`ports.policies` over a folder of `*.cedar` files. It minds no other files."""

import os
from pathlib import Path

from inland.domain.errors import BadInput

SUFFIX = ".cedar"
MAX_FILES = 64
MAX_FILE_BYTES = 256 * 1024


class PolicyFiles:
    """The policy files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> dict[str, str]:
        """By name. Raises BadInput for what is too big or no text."""
        if not self._folder.is_dir():
            return {}
        return {path.name: _text(path) for path in self._paths()}

    def write(self, files: dict[str, str], *, remove_others: bool) -> None:
        """Each file whole or not at all."""
        if not files:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for name, text in files.items():
            assert Path(name).name == name
            path = self._folder / name
            if not path.is_file() or path.read_bytes() != text.encode():
                _replace(path, text.encode())
        for path in self._paths():
            if remove_others and path.name not in files:
                path.unlink()

    def _paths(self) -> list[Path]:
        paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        if len(paths) > MAX_FILES:
            raise BadInput("policies", f"{len(paths)} files: at most {MAX_FILES}")
        return paths


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadInput("policies", f"{path.name} has more than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadInput("policies", f"{path.name} is no UTF-8 text") from None


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
