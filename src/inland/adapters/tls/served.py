"""The certificate that new connections get. Its files are looked at; nobody has to say anything.

A new pair is taken up once it has been the same twice; connections keep the one they began with. A
pair that cannot be used changes nothing: the old one is served on, and `wrong` says why.
"""

import logging
import ssl
from pathlib import Path

from inland.adapters.tls import certificate
from inland.adapters.tls.certificate import Certificate
from inland.domain.errors import BadInput, InlandError

_log = logging.getLogger("inland.tls")

_Signature = tuple[tuple[int, ...] | None, ...]


class Served:
    """A pair of files and what was last taken from them."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises BadInput, OSError where they cannot be used at all."""
        self._files = (cert, key)
        self._seen = self._judged = self._signature()
        self.wrong: str | None = None
        self.context, self.certificate = self._load()

    def look(self, unix_s: float) -> None:
        """Take up what has changed since the last look, if it can be used."""
        now = self._signature()
        settled, self._seen = now == self._seen, now
        if not settled or now == self._judged:
            return
        self._judged = now
        try:
            context, found = self._load()
            if not found.is_valid_at(unix_s) and self.certificate.is_valid_at(unix_s):
                raise BadInput(str(self._files[0]), "is not valid now")
        except (InlandError, OSError) as error:
            self.wrong = str(error)
            _log.error("a new certificate was not taken up", extra={"why": self.wrong})
            return
        self.context, self.certificate, self.wrong = context, found, None
        _log.info("a new certificate is served", extra={"sha256": found.sha256})

    def _load(self) -> tuple[ssl.SSLContext, Certificate]:
        return certificate.context_of(*self._files), certificate.read(self._files[0])

    def _signature(self) -> _Signature:
        """What tells one content of the files from another."""
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Its times tell less than all: a clock that ticks every 4 ms dates two writes alike."""
    try:
        found = path.stat()
    except OSError:
        return None
    times = found.st_mtime_ns, found.st_ctime_ns
    return found.st_ino, found.st_size, found.st_mode, *times
