"""/v1/files: datasets of the caller's tenant, as OpenAI's clients know files."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response

from inland.api.access import Caller, caller_for
from inland.api.content import Pieces, content_of
from inland.api.control import Control
from inland.api.dialect import After, Listed
from inland.api.multipart import MULTIPART, Form
from inland.api.problems import holds, may
from inland.api.shapes import Shape
from inland.domain.assets import PART_BYTES
from inland.domain.errors import BadInput
from inland.plant.files import (
    BATCH,
    FINE_TUNE,
    NewFile,
    checked_purpose,
    file_id,
    purpose_of,
)
from inland.plant.uploads import Held
from inland.ports.assets import AssetRow

router = APIRouter(prefix="/v1/files", tags=["files"])

OCTETS = "application/octet-stream"
#: Files of one page.
MAX_LISTED = 10_000
_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "purpose": {"enum": [FINE_TUNE, BATCH]},
        "file": {"type": "string", "format": "binary"},
    },
    "required": ["purpose", "file"],
    "additionalProperties": False,
}
_BODY = {"requestBody": {"required": True, "content": {MULTIPART: {"schema": _FORM}}}}

FileId = Annotated[str, InPath(max_length=128)]


class FileView(Shape):
    """A file. `id`: that of its asset behind `file-`."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: Literal["fine-tune", "batch", "batch_output"]
    status: Literal["processed"] = "processed"
    status_details: None = None

    @classmethod
    def of(cls, control: Control, row: AssetRow) -> Self:
        """A file as it is shown."""
        return cls(
            id=file_id(row.id),
            bytes=row.bytes,
            created_at=row.created_unix_us // 1_000_000,
            expires_at=row.ends_unix_s,
            filename=control.assets.files.named(row),
            purpose=purpose_of(row),  # type: ignore[arg-type]  # one of these
        )


class DeletedFile(Shape):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


async def _form(request: Request) -> Form:
    content = content_of(request.scope)
    said = request.headers.get("content-type", "")
    return Form(content if content is not None else Held(await request.body()), said)


@router.post("", responses=may(400, 404), openapi_extra=_BODY)
def create(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("files.create"))],
    form: Annotated[Form, Depends(_form)],
) -> FileView:
    """Keep a file, sealed: a dataset whose label lets it be used for its purpose."""
    control: Control = request.app.state.control
    tenant, most = whose(caller), form.length

    def said() -> str:
        if "purpose" not in form.fields and not form.is_over:
            why = f"send it before the file, where that has more than {PART_BYTES} bytes"
            raise BadInput("purpose", why)
        for name in form.fields.keys() - {"purpose"}:
            raise BadInput(name[:64], "is not taken here: send purpose and file")
        return checked_purpose(form.fields.get("purpose"))

    name = form.begin()
    made = control.assets.files.take(caller.key, NewFile(tenant, name, most, form.pieces(), said))
    return FileView.of(control, control.assets.files.show(tenant, file_id(made.id)))


@router.get("", responses=may(400, 404))
def files(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("files.list"))],
    purpose: Literal["fine-tune", "batch", "batch_output"] | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = MAX_LISTED,
    order: Literal["asc", "desc"] = "desc",
    after: After = None,
) -> Listed[FileView]:
    """The tenant's own datasets, the newest first unless `order` says otherwise."""
    control: Control = request.app.state.control
    tenant = whose(caller)
    found = control.assets.files.some(tenant, purpose)
    if order == "desc":
        found.reverse()
    if after is not None:
        behind = control.assets.files.show(tenant, after).id
        ids = [row.id for row in found]
        found = found[ids.index(behind) + 1 :] if behind in ids else []
    shown = [FileView.of(control, row) for row in found[:limit]]
    return Listed(
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(found) > limit,
    )


@router.get("/{file}", responses=may(404))
def show(
    request: Request, file: FileId, caller: Annotated[Caller, Depends(caller_for("files.show"))]
) -> FileView:
    """One file."""
    control: Control = request.app.state.control
    return FileView.of(control, control.assets.files.show(whose(caller), file))


@router.get(
    "/{file}/content", response_class=Response, responses=may(404, 409) | holds(OCTETS, "string")
)
def content(
    request: Request,
    file: FileId,
    caller: Annotated[Caller, Depends(caller_for("files.content"))],
) -> Response:
    """What it holds: an export of its asset, decided and on the books."""
    control: Control = request.app.state.control
    row = control.assets.files.show(whose(caller), file)
    pieces = control.assets.files.read(caller.key, row)
    if not row.bytes:
        list(pieces)
        return Response(media_type=OCTETS)
    return Pieces(row.bytes, pieces, OCTETS)


@router.delete("/{file}", responses=may(404, 409))
def delete(
    request: Request, file: FileId, caller: Annotated[Caller, Depends(caller_for("files.delete"))]
) -> DeletedFile:
    """Destroy its key, and those of what its tenant made of it."""
    control: Control = request.app.state.control
    row = control.assets.files.show(whose(caller), file)
    control.assets.files.erase(caller.key, row)
    return DeletedFile(id=file_id(row.id))


def whose(caller: Caller) -> str:
    """The tenant whose key it is: the table lets nobody else's in."""
    assert caller.tenant is not None
    return caller.tenant
