"""The HTTP contract: one OpenAPI 3.1 document of every route, made from the routes themselves.

The token path's half comes from the gateway as a fragment of the same form.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from inland import __version__
from inland.api.access import ACCESS
from inland.api.dialect import is_dialect, status_of
from inland.api.problems import MEDIA_TYPE, TRANSPORT, Problem, may

router = APIRouter(tags=["contract"])

PATH = "/factory/v1/openapi.json"
#: OpenAPI objects are plain JSON.
Document = dict[str, Any]

_DESCRIPTION = """The operating system of a sovereign AI factory. `/v1` is OpenAI's dialect, for a \
tenant's keys; `/factory/v1` is the control side. A tenant's key sees that tenant alone: what it \
may not see answers as what does not exist does."""
_RETRY_AFTER = {
    "description": "Seconds to wait before asking again.",
    "required": True,
    "schema": {"type": "integer"},
}
_SECURITY = {"type": "http", "scheme": "bearer", "description": "A key: `inl_<id>_<secret>`."}


@router.get(PATH, response_class=JSONResponse)
def openapi(request: Request) -> JSONResponse:
    """This document."""
    return JSONResponse(request.app.state.contract())


def document(routes: Sequence[APIRoute], token_path: Mapping[str, Any]) -> Document:
    """The whole document: control's `routes`, and a fragment with `paths` and `components`."""
    made = get_openapi(title="Inland", version=__version__, description=_DESCRIPTION, routes=routes)
    asked = {
        (one.path_format, method.lower()): one for one in routes for method in one.methods or ()
    }
    for path, method, operation in operations(made):
        _complete(operation, asked[path, method])
        if is_dialect(path):
            _say_in_dialect(operation)
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    _disjoint(made["paths"], token_path["paths"])
    _disjoint(schemas, token_path["components"]["schemas"])
    made["paths"] |= token_path["paths"]
    schemas |= token_path["components"]["schemas"]
    made["components"]["securitySchemes"] = {"key": _SECURITY}
    return made


def operations(made: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method (lower case) and operation of everything in a document."""
    for path, item in made["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def operation_of(route: APIRoute) -> str | None:
    """The row of the access table that a route asks; None where it asks nothing."""
    asked = (getattr(one.call, "operation", None) for one in route.dependant.dependencies)
    return next((one for one in asked if one is not None), None)


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    """What every route has, whoever wrote it: who may ask, and the answers no route can help."""
    name = operation_of(route)
    operation["operationId"] = name or route.name
    operation["security"] = [] if name is None else [{"key": []}]
    responses = operation["responses"]
    responses.pop("422", None)
    statuses = [*TRANSPORT, 500, 503]
    if name is not None:
        operation["x-inland-roles"] = sorted(ACCESS[name])
        statuses += [401, 429]
    if "requestBody" in operation or "parameters" in operation:
        statuses.append(422)
    for status, told in may(*statuses).items():
        responses.setdefault(str(status), told)
    for status in ("429", "503"):
        if MEDIA_TYPE in responses.get(status, {}).get("content", {}):
            responses[status]["headers"] = {"retry-after": _RETRY_AFTER}
    operation["responses"] = dict(sorted(responses.items()))


def _say_in_dialect(operation: dict[str, Any]) -> None:
    """Its refusals are OpenAI's error objects."""
    told: dict[str, Any] = {}
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
            told[str(status_of(int(status)))] = answer | {"content": content}
        else:
            told[status] = answer
    told.setdefault("400", told["413"] | {"description": HTTPStatus(400).phrase})
    operation["responses"] = dict(sorted(told.items()))


def _disjoint(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    twice = ours.keys() & theirs.keys()
    assert not twice, f"both sides describe {', '.join(sorted(twice))}"
