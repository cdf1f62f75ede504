"""What a request is to do, decoded and looked at: from the desk to its life."""

from collections.abc import Callable

import msgspec

from inland.gateway.dialect.asked import Written
from inland.gateway.guarding import Watch
from inland.gateway.inquiries import Panel
from inland.ports.engine import Work


class Order(msgspec.Struct, frozen=True, gc=False):
    """What is to be done, and how its answer is written. `route`: what records call its path.
    `received`: its body, which the record commits to. `arrived`: when the last byte was read.
    `watch`: over its answer, where a guard is; `judges`: makes the classifiers of one answer."""

    route: str
    asked: Written
    work: Work
    received: bytes
    arrived: float
    watch: Watch | None = None
    judges: Callable[[], Panel] | None = None
