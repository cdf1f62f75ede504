"""Errors as RFC 9457 problem details, below `/v1` in OpenAI's words. What the caller may not see is
always the same 404."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from inland.api.dialect import in_dialect, is_dialect
from inland.domain.errors import BadInput, Busy, Conflict, Damaged, Denied, InlandError, NotFound
from inland.ports.blobs import BlobsAway
from inland.ports.files import DiskFull
from inland.ports.keys import KeyGone, KeysAway, KeyWithdrawn
from inland.ports.vault import Unreadable

MEDIA_TYPE = "application/problem+json"
#: What any request may be answered before anybody looks at what it asks: it is no HTTP, comes too
#: slowly, is too large, expects or encodes what is unknown, comes from a foreign page or under a
#: name that is not the factory's.
TRANSPORT = (400, 403, 408, 413, 414, 417, 421, 431, 501)
#: Problems of one body that are told; the rest are not.
_MAX_TOLD = 5

#: When what found no room on the disk may be tried again, in seconds.
ROOM_RETRY_S = 30
#: And what the vault was asked for while its keys or blobs were not to be had.
VAULT_RETRY_S = 5

_log = logging.getLogger(__name__)


Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """RFC 9457 problem details. `rules` and `remedy`: of what policy refused. `field`: what is
    wrong in what was sent."""

    type: str
    title: str
    status: int
    detail: str | None = None
    field: str | None = None
    rules: list[str] | None = None
    remedy: str | None = None


def may(*statuses: int) -> Responses:
    """The problems, by status, that one route may answer beside those that every route may."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def holds(media_type: str, kind: str = "string") -> Responses:
    """A 200 that is no JSON of ours."""
    content = {media_type: {"schema": {"type": kind}}}
    return {200: {"description": "OK", "content": content}}


def problem(
    status: int, title: str, detail: str = "", headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One answer. `more` are extension members."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:  # names in a body may hold what no answer can: half of a pair
        body["detail"] = detail.encode("utf-8", "replace").decode()
    return JSONResponse(body | more, status, headers, media_type=MEDIA_TYPE)


def unseen() -> JSONResponse:
    """The one answer about what does not exist or may not be known to exist."""
    return problem(404, "Not found", "there is nothing here that this key may see")


def install(app: FastAPI) -> None:
    """Answer every error of the app this way."""
    app.add_exception_handler(InlandError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def _ours(request: Request, error: Exception) -> JSONResponse:
    return _in_form(request, _problem_of(error))


def _in_form(request: Request, answer: JSONResponse) -> JSONResponse:
    """A problem in the words of the path that was asked."""
    return in_dialect(answer) if is_dialect(request.url.path) else answer


def _problem_of(error: Exception) -> JSONResponse:
    match error:
        case NotFound():
            return problem(404, "Not found", str(error))
        case BadInput():
            return problem(400, "Bad input", str(error), field=error.field)
        case Conflict():
            return problem(409, "Conflict", str(error))
        case Denied():
            rules = list(error.rules)
            return problem(403, "Denied", str(error), rules=rules, remedy=error.remedy)
        case Busy():
            again = {"retry-after": str(error.retry_after_s)}
            return problem(503, "Busy", str(error), again)
        case DiskFull():
            _log.error("no room", extra={"why": str(error)})
            return problem(503, "No room", str(error), {"retry-after": str(ROOM_RETRY_S)})
        case Damaged():
            _log.error("damage", extra={"where": error.where, "why": error.why})
            return problem(500, "Damaged", str(error))
        case _:
            return _of_vault(error)


def _of_vault(error: Exception) -> JSONResponse:
    """What keys, blobs and what lies in them refuse; anything else is a failure."""
    match error:
        case KeyWithdrawn():
            return problem(403, "Withdrawn", str(error))
        case KeyGone():
            return problem(409, "Gone", str(error))
        case KeysAway() | BlobsAway():
            _log.error("the vault is away", extra={"why": str(error)})
            return problem(503, "Vault away", str(error), {"retry-after": str(VAULT_RETRY_S)})
        case Unreadable(may_pass=True):
            _log.error("the vault is away", extra={"why": str(error)})
            return problem(503, "Vault away", str(error), {"retry-after": str(VAULT_RETRY_S)})
        case Unreadable():
            _log.error("damage", extra={"where": error.part, "why": "it does not open"})
            return problem(500, "Damaged", str(error))
        case _:
            return problem(500, "Failed", str(error))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Says where and what, never what was sent: it may hold a secret."""
    assert isinstance(error, RequestValidationError)
    told = [
        f"{'.'.join(str(part) for part in one['loc'][1:]) or 'body'}: {one['msg']}"
        for one in error.errors()[:_MAX_TOLD]
    ]
    first = told[0].partition(":")[0]
    return _in_form(request, problem(422, "Bad input", "; ".join(told), field=first))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _in_form(request, unseen())
    headers = dict(error.headers) if error.headers else None
    if error.status_code == 405:
        headers = {"allow": ", ".join(sorted(_allowed(request)))}
    return _in_form(request, problem(error.status_code, str(error.detail), headers=headers))


def _allowed(request: Request) -> set[str]:
    """Every method that its path takes, the framework names the first route's: `report` is no
    contract's id, so of routes that match, those with a name in their place say nothing."""
    matching = [
        route
        for route in request.app.state.routes
        if route.matches(request.scope)[0] is not Match.NONE
    ]
    fewest = min(len(route.param_convertors) for route in matching)
    closest = (route for route in matching if len(route.param_convertors) == fewest)
    return {method for route in closest for method in route.methods or ()}


def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", exc_info=error)
    failed = problem(500, "Failed", "control hit a fault of its own; see its log")
    return _in_form(request, failed)
