"""OpenAI's dialect on control's side, for paths below `/v1`: its error object and its pages."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query
from fastapi.responses import JSONResponse

from inland.api.shapes import Shape

PREFIX = "/v1/"
#: Official clients ask again after a 409, which mends nothing here; they know no 422 of ours.
_STATUSES = {409: 400, 422: 400}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key",
    403: "not_allowed",
    404: "not_found",
    413: "too_large",
    500: "internal_error",
    503: "unavailable",
}
_INVALID, _SERVER = "invalid_request_error", "server_error"
#: What an error of ours is called that has rules.
_DENIED = "policy_denied"

Item = TypeVar("Item")
After = Annotated[str | None, Query(max_length=128)]


class Listed(Shape, Generic[Item]):
    """A page of things. `has_more`: behind `last_id` there are others."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


def is_dialect(path: str) -> bool:
    """Whether a path is answered in OpenAI's words."""
    return path.startswith(PREFIX)


def status_of(status: int) -> int:
    """What a problem's status is in the dialect."""
    return _STATUSES.get(status, status)


def refusal(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The error object that says what problem details say."""
    status = status_of(problem["status"])
    kind = _TYPES.get(status, _SERVER if status >= 500 else _INVALID)
    code = _DENIED if problem.get("rules") is not None else _CODES.get(status)
    message = problem.get("detail") or problem["title"]
    return {
        "error": {"message": message, "type": kind, "param": problem.get("field"), "code": code}
    }


def in_dialect(answer: JSONResponse) -> JSONResponse:
    """An answer of problem details, as the dialect has it."""
    problem = json.loads(bytes(answer.body))
    kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    return JSONResponse(refusal(problem), status_of(answer.status_code), kept)


_KEPT = ("allow", "retry-after", "www-authenticate")
