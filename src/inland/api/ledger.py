"""/ledger/: the site log as static files, public, under C2SP's names (`tlog-tiles`)."""

import re
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from inland.api.control import Control
from inland.api.problems import holds, may, unseen

router = APIRouter(prefix="/ledger", tags=["ledger"])

#: tile/<level or "entries">/<N in groups of three, all but the last with x>[.p/<width>]
_TILE = re.compile(
    r"(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}"
    r"(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?\Z"
)
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/checkpoint", response_class=Response, responses=may(404) | holds("text/plain"))
def checkpoint(request: Request) -> Response:
    """The newest signed head."""
    control: Control = request.app.state.control
    return _file(control.ledger / "checkpoint", "text/plain; charset=utf-8", "no-cache")


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses=may(404) | holds("application/octet-stream", "string"),
)
def tile(request: Request, path: str) -> Response:
    """A hash tile or a bundle of entries; what one holds never changes."""
    control: Control = request.app.state.control
    if not _TILE.match(path):
        return unseen()
    return _file(control.ledger / "tile" / path, "application/octet-stream", _FOR_EVER)


def _file(path: Path, media_type: str, caching: str) -> Response:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return unseen()
    return Response(data, media_type=media_type, headers={"cache-control": caching})
