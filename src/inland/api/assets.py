"""/factory/v1/assets: labelled data of tenants, in parts. What a key may not see is not there."""

from typing import Annotated, Self, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.content import TAKEN_BYTES, Pieces, content_of
from inland.api.control import Control
from inland.api.problems import holds, may
from inland.api.shapes import Shape
from inland.domain.assets import PART_BYTES, Asset, AssetKind, AssetState
from inland.domain.errors import BadInput
from inland.domain.labels import Classification, Purpose
from inland.domain.places import Known, Place
from inland.plant.asset_terms import AssetTerms
from inland.plant.erasures import Erased
from inland.plant.exports import Export
from inland.plant.labels import checked_place
from inland.plant.uploads import Content, Held, NewAsset, Upload

router = APIRouter(prefix="/factory/v1/assets", tags=["assets"])

OCTETS = "application/octet-stream"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_Codes = Annotated[list[str], Field(min_length=1, max_length=64)]
_Purposes = Annotated[list[Purpose], Field(max_length=5)]
_Value = TypeVar("_Value")
#: Most parts in one request, whatever the limits.
MAX_AT_ONCE = 64
#: Parts in one request whose content nobody holds.
PARTS_TAKEN = TAKEN_BYTES // PART_BYTES
#: A destination that is none of the factory's places.
_ELSEWHERE = "elsewhere"


class Terms(Shape):
    """Fields of a label; what is left out stays as it is."""

    jurisdictions: _Codes | None = None
    storage: _Codes | None = None
    classification: Classification | None = None
    purposes: _Purposes | None = None
    derived_purposes: _Purposes | None = None
    retention_days: int | None = Field(default=None, ge=1, le=36_500)
    for_ever: bool = False

    def asked(self) -> AssetTerms:
        """What the plant is asked."""
        return AssetTerms(
            jurisdictions=_tuple(self.jurisdictions),
            storage=_tuple(self.storage),
            classification=self.classification,
            purposes=_tuple(self.purposes),
            derived_purposes=_tuple(self.derived_purposes),
            retention_days=self.retention_days,
            for_ever=self.for_ever,
        )


class AssetLabel(Shape):
    """An asset's label. `storage`: where it may be stored, `jurisdictions`: where processed."""

    jurisdictions: list[str]
    storage: list[str]
    classification: Classification
    purposes: list[Purpose]
    derived_purposes: list[Purpose]
    retention_days: int | None


class AddAsset(Shape):
    """An asset to add. `resume`: a word for the very content, by which a cut upload is found."""

    tenant: str | None = Field(default=None, max_length=63)
    kind: AssetKind
    name: str = Field(min_length=1, max_length=200)
    title: str = Field(default="", max_length=1000)
    bytes: int = Field(ge=0, lt=1 << 53)
    parents: list[str] = Field(default=[], max_length=64)
    run: str = Field(default="", max_length=64)
    resume: str = Field(default="", max_length=256)
    label: Terms = Terms()


class UploadView(Shape):
    """An upload under way. `received`: the parts that are there, of `parts`, from 0 on. A request
    may carry `parts_at_once`, where a gateway's `body_bytes` lets it; one over control's own socket
    `parts_on_socket`."""

    id: str
    tenant: str
    bytes: int
    parts: int
    part_bytes: int
    parts_at_once: int
    parts_on_socket: int
    received: list[int]

    @classmethod
    def of(cls, upload: Upload, control: Control) -> Self:
        """An upload as it is shown."""
        return cls(
            id=upload.id,
            tenant=upload.tenant,
            bytes=upload.bytes,
            parts=upload.parts,
            part_bytes=upload.part_bytes,
            parts_at_once=_at_once(control),
            parts_on_socket=max(_at_once(control), PARTS_TAKEN),
            received=list(upload.received),
        )


class StoreView(Shape):
    """A place where content may lie: where it stands, who operates it, how that is known."""

    store: str
    stands: str
    operated: str
    known: Known

    @classmethod
    def of(cls, place: Place) -> Self:
        """A place as it is shown."""
        return cls(store=place.id, stands=place.stands, operated=place.operated, known=place.known)


class AssetView(Shape):
    """One version of an asset. `name` and `title`: null where its keys are withdrawn or gone.
    `digest`: keyed by the tenant. `shared_with`: null for whom it is shared with. `erased_by`: the
    record that certifies its end. `lies`: where its content is stored; `partly_in`: the store that
    a move under way may have some of it in."""

    id: str
    tenant: str
    kind: AssetKind
    name: str | None
    title: str | None
    version: int
    state: AssetState
    label: AssetLabel
    shared_with: list[str] | None
    bytes: int
    digest: str | None
    parents: list[str]
    run: str
    created_unix_us: int
    ends_unix_s: int | None
    erased_by: str | None
    lies: StoreView | None
    partly_in: str | None

    @classmethod
    def of(cls, asset: Asset, caller: Caller) -> Self:
        """An asset as it is shown: with whom else it is shared is its owner's to know."""
        label, own = asset.label, caller.tenant in {None, asset.tenant}
        return cls(
            id=asset.id,
            tenant=asset.tenant,
            kind=asset.kind,
            name=asset.name,
            title=asset.title,
            version=asset.version,
            state=asset.state,
            label=AssetLabel(
                jurisdictions=list(label.jurisdictions),
                storage=list(label.stored_in),
                classification=label.classification,
                purposes=list(label.purposes),
                derived_purposes=list(label.derived_purposes),
                retention_days=label.retention_days,
            ),
            shared_with=list(asset.shared_with) if own else None,
            bytes=asset.bytes,
            digest=(asset.digest or None) if own else None,
            parents=list(asset.parents) if own else [],
            run=asset.run if own else "",
            created_unix_us=asset.created_unix_us,
            ends_unix_s=asset.ends_unix_s,
            erased_by=asset.erased_by if own else None,
            lies=None if asset.lies is None else StoreView.of(asset.lies),
            partly_in=asset.partly_in or None,
        )


class Sharing(Shape):
    """Tenants that may see and use it, or no more; `*`: every one."""

    add: list[str] = Field(default=[], max_length=256)
    remove: list[str] = Field(default=[], max_length=256)


class NewExport(Shape):
    """Where the content goes (`CC`, or `CC/CC`: where it will stand, who operates that; null: this
    site), and whom the caller will seal it for."""

    destination: str | None = Field(default=None, max_length=8)
    recipient: str = Field(default="", max_length=128)


class ExportView(Shape):
    """An export under way: `parts` parts are to be read, up to `parts_at_once` by a request, and
    then it is to be finished."""

    id: str
    asset: str
    bytes: int
    parts: int
    part_bytes: int
    parts_at_once: int

    @classmethod
    def of(cls, export: Export) -> Self:
        """An export as it is shown."""
        return cls(
            id=export.id,
            asset=export.asset.id,
            bytes=export.asset.bytes,
            parts=export.parts,
            part_bytes=export.part_bytes,
            parts_at_once=PARTS_TAKEN,
        )


class Exported(Shape):
    """`record`: the id of the record that says it has left."""

    record: str


class ErasedView(Shape):
    """What an erase came to. `record`: the id of the one whose receipt is the certificate; null
    while it goes on, which it does by itself: ask again. `count`: how many went, of which `erased`
    names the first ten thousand; `kinds`: how many of each. `kept`: how many assets made of it are
    there still, which `why` tells."""

    id: str
    record: str | None
    erased: list[str]
    count: int
    kinds: dict[str, int]
    kept: int
    why: str

    @classmethod
    def of(cls, erased: Erased) -> Self:
        """As it is shown."""
        return cls(
            id=erased.asset,
            record=erased.record,
            erased=list(erased.erased),
            count=erased.count,
            kinds=erased.kinds,
            kept=erased.kept,
            why=erased.why,
        )


AssetId = Annotated[str, InPath(max_length=64)]
Number = Annotated[int, InPath(ge=0, lt=1 << 31)]


@router.get("", responses=may(404))
def assets(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("assets.list"))],
    tenant: str | None = None,
    erased: bool = False,  # noqa: FBT001, FBT002 - a query parameter
) -> list[AssetView]:
    """All that the caller may see, or a tenant's own; with `erased`, what is left of those too."""
    control: Control = request.app.state.control
    whose = None if tenant is None else caller.reach(tenant)
    found = control.assets.known.all(caller.key, whose, erased=erased)
    return [AssetView.of(one, caller) for one in found]


@router.post("", status_code=201, responses=may(400, 404, 409))
def add(
    request: Request,
    body: AddAsset,
    caller: Annotated[Caller, Depends(caller_for("assets.add"))],
) -> UploadView:
    """Begin to upload an asset, or go on with one that was cut; it shows when it is whole."""
    control: Control = request.app.state.control
    tenant = caller.reach(body.tenant)
    if tenant is None:
        raise BadInput("tenant", "say whose it is")
    wanted = NewAsset(
        tenant=tenant,
        kind=body.kind,
        name=body.name,
        bytes=body.bytes,
        title=body.title,
        terms=body.label.asked(),
        parents=tuple(body.parents),
        run=body.run,
        resume=body.resume,
    )
    return UploadView.of(control.assets.uploads.begin(caller.key, wanted), control)


@router.get("/{asset}", responses=may(404))
def show(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.show"))],
) -> AssetView:
    """One asset."""
    control: Control = request.app.state.control
    return AssetView.of(control.assets.known.show(caller.key, asset), caller)


@router.get("/{asset}/upload", responses=may(404))
def upload(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.upload"))],
) -> UploadView:
    """Which parts of an upload are there."""
    control: Control = request.app.state.control
    return UploadView.of(control.assets.uploads.received(caller.key, asset), control)


@router.delete("/{asset}/upload", status_code=204, responses=may(404))
def give_up(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.give_up"))],
) -> None:
    """Remove an upload under way, as if it had never been."""
    control: Control = request.app.state.control
    control.assets.uploads.give_up(caller.key, asset)


async def _content(request: Request) -> Content:
    content = content_of(request.scope)
    if content is not None:
        return content
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != OCTETS:
        raise BadInput("content-type", f"a part is {OCTETS}")
    return Held(await request.body())


@router.put(
    "/{asset}/parts/{number}", status_code=204, responses=may(400, 404), openapi_extra=_BODY
)
def put_part(
    request: Request,
    asset: AssetId,
    number: Number,
    caller: Annotated[Caller, Depends(caller_for("assets.put_part"))],
    content: Annotated[Content, Depends(_content)],
) -> None:
    """A part of an upload, or several whole ones from `number` on, sealed and durable when this
    answers. Every part but the last has `part_bytes`; one that is there is replaced."""
    control: Control = request.app.state.control
    control.assets.uploads.take(caller.key, asset, number, content)


@router.post("/{asset}/finish", responses=may(404, 409))
def finish(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.finish"))],
) -> AssetView:
    """Make an upload whose parts are all there an asset: the next version of its name."""
    control: Control = request.app.state.control
    return AssetView.of(control.assets.uploads.finish(caller.key, asset), caller)


@router.post("/{asset}/share", responses=may(400, 404, 409))
def share(
    request: Request,
    asset: AssetId,
    body: Sharing,
    caller: Annotated[Caller, Depends(caller_for("assets.share"))],
) -> AssetView:
    """Let other tenants see and use it, or no more."""
    control: Control = request.app.state.control
    found = control.assets.known.share(caller.key, asset, body.add, body.remove)
    return AssetView.of(found, caller)


@router.post("/{asset}/label", responses=may(400, 404, 409))
def label(
    request: Request,
    asset: AssetId,
    body: Terms,
    caller: Annotated[Caller, Depends(caller_for("assets.label"))],
) -> AssetView:
    """Change its label; to allow more takes an admin of its owner."""
    control: Control = request.app.state.control
    return AssetView.of(control.assets.known.relabel(caller.key, asset, body.asked()), caller)


@router.post("/{asset}/exports", status_code=201, responses=may(400, 404, 409))
def export(
    request: Request,
    asset: AssetId,
    body: NewExport,
    caller: Annotated[Caller, Depends(caller_for("assets.export"))],
) -> ExportView:
    """Begin to take its content away, which is a decision with a destination."""
    control: Control = request.app.state.control
    destination = None
    if body.destination is not None:
        stands, _, operated = body.destination.partition("/")
        destination = checked_place(_ELSEWHERE, stands, operated or None)
    begun = control.assets.exports.begin(caller.key, asset, destination, body.recipient)
    return ExportView.of(begun)


@router.get(
    "/{asset}/exports/{export}/parts/{number}",
    response_class=Response,
    responses=may(400, 404, 409) | holds(OCTETS),
)
def read_part(
    request: Request,
    asset: AssetId,
    export: Annotated[str, InPath(max_length=64)],
    number: Number,
    caller: Annotated[Caller, Depends(caller_for("assets.read_part"))],
    count: Annotated[int, Query(ge=1, le=MAX_AT_ONCE)] = 1,
) -> Response:
    """The content of a part, or of `count` from `number` on."""
    control: Control = request.app.state.control
    if count > PARTS_TAKEN:
        raise BadInput("count", f"a request may ask for {PARTS_TAKEN} parts at once")
    numbers = range(number, number + count)
    leaving = control.assets.exports.parts(caller.key, asset, export, numbers)
    return Pieces(leaving.bytes, leaving.each, OCTETS)


@router.post("/{asset}/exports/{export}/finish", responses=may(404, 409))
def exported(
    request: Request,
    asset: AssetId,
    export: Annotated[str, InPath(max_length=64)],
    caller: Annotated[Caller, Depends(caller_for("assets.exported"))],
) -> Exported:
    """Say that all of it was read: what has left is on the books."""
    control: Control = request.app.state.control
    return Exported(record=control.assets.exports.finish(caller.key, asset, export))


@router.delete("/{asset}/exports/{export}", status_code=204, responses=may(404))
def give_up_export(
    request: Request,
    asset: AssetId,
    export: Annotated[str, InPath(max_length=64)],
    caller: Annotated[Caller, Depends(caller_for("assets.give_up_export"))],
) -> None:
    """End an export that is not gone on with: it is booked as not done."""
    control: Control = request.app.state.control
    control.assets.exports.give_up(caller.key, asset, export)


@router.post("/{asset}/erase", responses=may(404, 409))
def erase(
    request: Request,
    asset: AssetId,
    caller: Annotated[Caller, Depends(caller_for("assets.erase"))],
) -> ErasedView:
    """Destroy its key, and those of what its tenant made of it: answers when nothing opens, or
    after 20 s with no record; then it goes on by itself."""
    control: Control = request.app.state.control
    return ErasedView.of(control.assets.erasures.erase(caller.key, asset))


def _at_once(control: Control) -> int:
    """Parts that one request may carry through a gateway."""
    return min(max(control.limits.control_body_bytes // PART_BYTES, 1), MAX_AT_ONCE)


def _tuple(values: list[_Value] | None) -> tuple[_Value, ...] | None:
    return None if values is None else tuple(values)
