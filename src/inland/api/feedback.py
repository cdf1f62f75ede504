"""/factory/v1/feedback: what a tenant's people say of answers, by receipt."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from inland.api.access import Caller, caller_for
from inland.api.assets import AssetView
from inland.api.control import Control
from inland.api.problems import may, unseen
from inland.api.receipts import MAX_REF_CHARS, mine
from inland.api.shapes import Shape
from inland.api.waiting import wait_for
from inland.domain.chat import CONTENT_CHARACTERS, MESSAGES
from inland.domain.errors import BadInput
from inland.domain.feedback import Feedback, Said
from inland.domain.thumbs import Thumbs
from inland.ledger.records import Record
from inland.plant.feedback import about

router = APIRouter(prefix="/factory/v1/feedback", tags=["feedback"])


class AskedMessage(Shape):
    """A message of a conversation, as training data has it."""

    role: str = Field(max_length=16)
    content: str = Field(max_length=CONTENT_CHARACTERS)


class NewFeedback(Shape):
    """What is said of an answer. `correction`: what it should have been. `messages`: what was
    asked, the last of them the user's; requests' texts are not kept, so a correction without them
    cannot be learned from."""

    receipt: str = Field(max_length=MAX_REF_CHARS)
    thumbs: Thumbs
    correction: str = Field(default="", max_length=CONTENT_CHARACTERS)
    messages: list[AskedMessage] = Field(default=[], max_length=MESSAGES)

    def said(self) -> Said:
        """What the plant is told."""
        messages = tuple(one.model_dump() for one in self.messages)
        return Said(self.thumbs, self.correction, messages)


class FeedbackView(Shape):
    """What was said of one answer. `book`: the asset under whose key the words rest; null where
    there are none. `teaches`: whether they can be learned from. `waits`: not collected yet."""

    receipt: str
    tenant: str
    model: str
    release: str | None
    thumbs: Thumbs
    key: str
    given: float
    book: str | None
    teaches: bool
    waits: bool

    @classmethod
    def of(cls, feedback: Feedback, **more: Any) -> Self:
        """As it is shown."""
        return cls(
            receipt=feedback.receipt,
            tenant=feedback.tenant,
            model=feedback.model,
            release=feedback.release or None,
            thumbs=feedback.thumbs,
            key=feedback.key,
            given=feedback.unix_us / 1e6,
            book=feedback.book or None,
            teaches=feedback.teaches,
            waits=feedback.waits,
            **more,
        )


class FeedbackWords(FeedbackView):
    """One, with what it says in words: a JSON text with `messages` and `correction`, empty where it
    is a thumb alone."""

    words: str


class Collect(Shape):
    """Whose feedback on which model; `name`: the dataset's, feedback-MODEL where it is empty."""

    tenant: str | None = Field(default=None, max_length=63)
    model: str = Field(max_length=63)
    name: str = Field(default="", max_length=200)


class CollectedView(Shape):
    """A dataset. `examples`: how many it has; `made`: false where nothing was new."""

    dataset: AssetView
    examples: int
    made: bool


@router.post("", response_model=FeedbackView, responses=may(400, 403, 404, 409))
async def give(
    request: Request,
    body: NewFeedback,
    caller: Annotated[Caller, Depends(caller_for("feedback.give"))],
) -> FeedbackView | Response:
    """Say something of an answer that the tenant was given; what was said of it before is
    replaced."""
    control: Control = request.app.state.control

    def look() -> Record | None:
        return about(mine(control, caller, body.receipt), caller.tenant)

    record = await wait_for(request, look)
    if record is None:
        return unseen()
    room, said = control.assets.feedback, body.said()
    return FeedbackView.of(await run_in_threadpool(room.give, caller.key, record, said))


@router.get("", responses=may(404))
def feedback(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("feedback.list"))],
    tenant: str | None = None,
    model: str | None = None,
) -> list[FeedbackView]:
    """What was said, the newest thousand, without its words."""
    control: Control = request.app.state.control
    found = control.assets.feedback.all(caller.reach(tenant), model)
    return [FeedbackView.of(one) for one in found]


@router.get("/{receipt}", responses=may(403, 404, 409))
def one(
    request: Request,
    receipt: str,
    caller: Annotated[Caller, Depends(caller_for("feedback.show"))],
) -> FeedbackWords:
    """What was said of one answer, its words too; `receipt`: its record's id."""
    control: Control = request.app.state.control
    found, words = control.assets.feedback.show(caller.key, _tenant(caller), receipt)
    return FeedbackWords.of(found, words=words)


@router.delete("/{receipt}", status_code=204, responses=may(404))
def remove(
    request: Request,
    receipt: str,
    caller: Annotated[Caller, Depends(caller_for("feedback.remove"))],
) -> None:
    """Take back what was said of an answer; the next version that is collected is without it."""
    control: Control = request.app.state.control
    control.assets.feedback.remove(caller.key, _tenant(caller), receipt)


@router.post("/collect", responses=may(400, 403, 404, 409))
def collect(
    request: Request,
    body: Collect,
    caller: Annotated[Caller, Depends(caller_for("feedback.collect"))],
) -> CollectedView:
    """Make a dataset of all that was said of a model's answers and can be learned from: the next
    version of its name, where something is new."""
    control: Control = request.app.state.control
    whose = caller.reach(body.tenant)
    if whose is None:
        raise BadInput("tenant", "say whose feedback")
    made = control.assets.feedback.collect(caller.key, whose, body.model, body.name)
    return CollectedView(
        dataset=AssetView.of(made.dataset, caller), examples=made.examples, made=made.made
    )


def _tenant(caller: Caller) -> str:
    assert caller.tenant is not None, "the table lets in keys of tenants alone"
    return caller.tenant
