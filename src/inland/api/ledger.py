"""/ledger/: the site logs as static files, public, under C2SP's names (`tlog-tiles`).

The log that grows is at `/ledger/`; each is for good at `/ledger/LOG/`, LOG being the end of its
origin. What lies at `/ledger/tile/` is another log's after a rotation: no cache may keep that.
"""

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from inland.api.control import Control
from inland.api.problems import holds, may, unseen

router = APIRouter(prefix="/ledger", tags=["ledger"])

#: tile/<level or "entries">/<N in groups of three, all but the last with x>[.p/<width>]
_TILE = re.compile(
    r"(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}"
    r"(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?\Z"
)
_LOG = r"^[0-9a-f]{8}$"
_TEXT, _BYTES, _JSON = "text/plain; charset=utf-8", "application/octet-stream", "application/json"
_ASK_AGAIN = "no-cache"
_FOR_EVER = "public, max-age=31536000, immutable"


Log = Annotated[str, Path(pattern=_LOG)]


@router.get("/checkpoint", response_class=Response, responses=may(404) | holds("text/plain"))
def checkpoint(request: Request) -> Response:
    """The newest signed head."""
    return _shown(_control(request).ledger.checkpoint(), _TEXT, _ASK_AGAIN)


@router.get(
    "/tile/{path:path}", response_class=Response, responses=may(404) | holds(_BYTES, "string")
)
def tile(request: Request, path: str) -> Response:
    """A hash tile of the newest log, or a bundle of its entries."""
    return _tile(_control(request), path, None)


@router.get(
    "/{log}/checkpoint", response_class=Response, responses=may(400, 404) | holds("text/plain")
)
def checkpoint_of(request: Request, log: Log) -> Response:
    """The newest signed head of one log; of one that ended, the last."""
    return _shown(_control(request).ledger.checkpoint(log), _TEXT, _ASK_AGAIN)


@router.get(
    "/{log}/tile/{path:path}",
    response_class=Response,
    responses=may(400, 404) | holds(_BYTES, "string"),
)
def tile_of(request: Request, log: Log, path: str) -> Response:
    """A hash tile of one log, or a bundle of its entries; what one holds never changes."""
    return _tile(_control(request), path, log)


@router.get(
    "/{log}/successor", response_class=Response, responses=may(400, 404) | holds(_JSON, "object")
)
def successor(request: Request, log: Log) -> Response:
    """The receipt of a log's last entry, which names the key of the log after it."""
    return _shown(_control(request).books.successor(log), _JSON, _ASK_AGAIN)


def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


def _tile(control: Control, path: str, log: str | None) -> Response:
    data = control.ledger.tile(f"tile/{path}", log) if _TILE.match(path) else None
    return _shown(data, _BYTES, _FOR_EVER if log else _ASK_AGAIN)


def _shown(data: bytes | None, media_type: str, caching: str) -> Response:
    if data is None:
        return unseen()
    return Response(data, media_type=media_type, headers={"cache-control": caching})
