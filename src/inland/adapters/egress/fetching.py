"""Files fetched over HTTP through the door: bounded, resumed where the server can, or refused.

A redirect is one more use of the door: followed only where policy lets the factory connect, never
from https to http, and never with what was meant for the host before.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from inland.adapters.egress.told import told_of
from inland.domain.errors import BadInput, InlandError

#: Called with the bytes done and the bytes there are.
Progress = Callable[[int, int], None]
REDIRECTS = 5
_PLAIN = {"user-agent": "inland", "accept-encoding": "identity"}


@dataclass
class NotFetched(InlandError):
    """What a server did not give, and why; the same may be tried again."""

    url: str
    why: str

    def __str__(self) -> str:
        return f"{self.url} could not be fetched: {self.why}"


class TooLarge(NotFetched):
    """It has more bytes than there is room for: trying again brings no more of it."""


class _StaleError(Exception):
    """What lies here is not the beginning of what the server has."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`headers` that tell of the file rather than of the answer (`x-…`) hold as the first of the
    redirects said them. `hosts`: whom it came by, as host:port."""

    headers: dict[str, str]
    hosts: tuple[str, ...]


@dataclass
class _Way:
    """Where a fetch goes, and what was heard on the way."""

    url: httpx.URL
    headers: dict[str, str]
    heard: dict[str, str] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    def shown(self) -> str:
        """The URL as errors say it: what signs it stays out."""
        return str(self.url.copy_with(query=None, fragment=None))

    def hear(self, answer: httpx.Response) -> None:
        """Keep what it says of the file."""
        for name, value in answer.headers.items():
            if name.startswith("x-"):
                self.heard.setdefault(name, value)

    def move(self, location: str) -> None:
        """Go on to where a redirect points."""
        before, self.url = self.url, self.url.join(location)
        if before.scheme == "https" and self.url.scheme != "https":
            raise NotFetched(self.shown(), "it redirects from https to something else")
        if (before.host, before.port) != (self.url.host, self.url.port):
            self.headers.pop("authorization", None)


class Fetcher:
    """Fetches with a client of `opening` each, which goes through the door. Its calls block, and
    raise NotFetched, Denied, BadInput, and OSError where the disk refuses."""

    def __init__(self, opening: Callable[[], httpx.Client]) -> None:
        self._opening = opening

    def small(self, url: str, headers: Mapping[str, str], most_bytes: int) -> bytes:
        """All of a short answer."""
        way, data = _way(url, headers), bytearray()
        with self._got(way) as answer:
            _demand(way, answer, {httpx.codes.OK})
            for chunk in answer.iter_raw():
                data += chunk
                _bound(way, len(data), most_bytes)
        return bytes(data)

    def into(
        self,
        part: Path,
        url: str,
        headers: Mapping[str, str],
        most_bytes: int,
        progress: Progress,
    ) -> Answered:
        """The answer's body in the file `part`. What a cut fetch left there is gone on from, where
        the same server is asked and still has the same; `part.etag` remembers both beside it."""
        try:
            return self._into(part, url, headers, most_bytes, progress)
        except _StaleError:
            part.unlink(missing_ok=True)
            return self._into(part, url, headers, most_bytes, progress)

    def _into(
        self,
        part: Path,
        url: str,
        headers: Mapping[str, str],
        most_bytes: int,
        progress: Progress,
    ) -> Answered:
        asked = _endpoint(_way(url, {}).url)
        has, tag = _left(part, asked)
        resumed = {"range": f"bytes={has}-", "if-range": tag} if has else {}
        way = _way(url, {**headers, **resumed})
        with self._got(way) as answer:
            done, total = _begun(way, answer, has, most_bytes)
            _remember(part, answer.headers.get("etag", ""), asked)
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                file.seek(done)
                file.truncate()
                for chunk in answer.iter_raw():
                    file.write(chunk)
                    done += len(chunk)
                    _bound(way, done, most_bytes)
                    progress(done, max(total, done))
        if done < total:
            raise NotFetched(way.shown(), f"it ended after {done} of {total} bytes; try again")
        return Answered(way.heard, tuple(way.hosts))

    @contextmanager
    def _got(self, way: _Way) -> Iterator[httpx.Response]:
        """The answer at the end of the redirects, its body not yet read."""
        try:
            with self._opening() as client:
                for _ in range(REDIRECTS + 1):
                    way.hosts.append(_endpoint(way.url))
                    asked = {**_PLAIN, **way.headers}
                    with client.stream("GET", way.url, headers=asked) as answer:
                        way.hear(answer)
                        if not answer.has_redirect_location:
                            yield answer
                            return
                    way.move(answer.headers["location"])
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise NotFetched(way.shown(), told_of(error)) from None
        raise NotFetched(way.shown(), f"it redirects more than {REDIRECTS} times")


def _way(url: str, headers: Mapping[str, str]) -> _Way:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        shown = f"{parsed.scheme}://{parsed.host}"  # no more: passwords and signatures are in it
        raise BadInput("url", f"{shown!r} is not a plain http:// or https:// URL")
    return _Way(parsed, dict(headers))


def _endpoint(url: httpx.URL) -> str:
    return f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"


def _demand(way: _Way, answer: httpx.Response, statuses: set[int]) -> None:
    if answer.status_code not in statuses:
        raise NotFetched(way.shown(), f"it answers {answer.status_code}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise NotFetched(way.shown(), "it comes encoded, which was not asked for")


def _bound(way: _Way, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise TooLarge(way.shown(), f"it has more than {most_bytes} bytes, which is the room here")


def _begun(way: _Way, answer: httpx.Response, has: int, most_bytes: int) -> tuple[int, int]:
    """From which byte it comes, and how many there will be (0: it does not say)."""
    partial = {httpx.codes.PARTIAL_CONTENT} if has else set()
    if has and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise _StaleError
    _demand(way, answer, {httpx.codes.OK, *partial})
    done = has if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0
    said = answer.headers.get("content-length", "")
    total = done + int(said) if said.isdecimal() else 0
    _bound(way, total, most_bytes)
    begins = answer.headers.get("content-range", "").removeprefix("bytes ").split("-")[0]
    if done and begins != str(done):
        raise NotFetched(way.shown(), "it goes on from another byte than was asked for")
    return done, total


def _left(part: Path, asked: str) -> tuple[int, str]:
    """What an earlier fetch from the server `asked` left, and the tag that says of what; nothing
    where there is no tag."""
    try:
        size, told = part.stat().st_size, _tag_file(part).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return 0, ""
    tag, _, whose = told.partition("\n")
    good = whose == asked and tag.startswith('"') and tag.isprintable()
    return (size, tag) if good else (0, "")


def _remember(part: Path, tag: str, asked: str) -> None:
    if tag.startswith('"') and tag.isascii() and tag.isprintable():
        _tag_file(part).write_text(f"{tag}\n{asked}", "ascii")
    else:  # a weak tag, or none, promises nothing of the bytes
        _tag_file(part).unlink(missing_ok=True)


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")
