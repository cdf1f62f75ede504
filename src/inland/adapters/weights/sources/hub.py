"""Weights of a hub that speaks Hugging Face's plain file URLs: `ORG/REPO/FILE@REVISION`.

Source: https://huggingface.co/docs/hub/models-downloading, and the headers `X-Linked-Etag` (the
SHA-256 of a file kept by LFS) and `X-Repo-Commit` that its own client reads.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from inland.adapters.egress.fetching import Fetcher
from inland.adapters.weights.digest import Progress
from inland.adapters.weights.sources.source import Brought
from inland.domain.errors import BadInput

HUB = "https://huggingface.co"
REVISION = "main"
_SPEC = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})/(?P<file>[\w.\-+/]{1,255}?)"
    r"(?:@(?P<revision>[\w.\-/]{1,128}))?\Z",
    re.ASCII,
)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class HubSource:
    """One file of a repository. `token`: a bearer's, for what is not public."""

    fetcher: Fetcher
    spec: str
    hub: str = HUB
    token: str = ""

    def url(self) -> str:
        """Where it is to be had. Raises BadInput."""
        found = _SPEC.match(self.spec)
        if found is None or ".." in self.spec:
            raise BadInput("source", "hf: takes ORG/REPO/FILE, with @REVISION where not main")
        revision = quote(found["revision"] or REVISION, safe="")
        return f"{self.hub}/{found['repo']}/resolve/{revision}/{quote(found['file'])}"

    def bring(self, part: Path, most_bytes: int, progress: Progress) -> Brought:
        """Fetched, resumed where it was cut."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        told = self.fetcher.into(part, self.url(), headers, most_bytes, progress)
        tag = told.headers.get("x-linked-etag", "").strip('"')
        return Brought(tag if _SHA256.match(tag) else None, "", told.hosts)
