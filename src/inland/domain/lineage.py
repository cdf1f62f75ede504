"""What is made of assets: the label it has, from the labels of all it was made of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import Protocol

from inland.domain.assets import Asset, AssetKind
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.labels import EVERYONE, Label, canonical, loosened, meet, passed_on


class Parent(Protocol):
    """What something is made of: an asset, or a model."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> Label: ...

    @property
    def shared_with(self) -> tuple[str, ...]: ...


@dataclass
class Clash(Conflict):
    """Labels that leave nothing of `field` in common; `parents`: whose, as few as do."""

    field: str
    parents: tuple[str, ...]


#: What must not be empty in a derived label, and how to say that it is.
_NEEDED: dict[str, Callable[[Label], tuple[str, ...]]] = {
    "jurisdictions": lambda label: label.jurisdictions,
    "storage": lambda label: label.stored_in,
    "derived_purposes": lambda label: label.purposes,
}
_SAID = {
    "jurisdictions": "there is no place where {all} may be processed",
    "storage": "there is no place where {all} may be stored",
    "derived_purposes": "there is no purpose for which what is made of {all} may be used",
}


def derived(owner: str, parents: Sequence[Parent]) -> Label:
    """The label of what `owner` makes of `parents`: what they all allow of it, and no more.

    Raises Clash where that is nothing, NotFound for a parent that `owner` may not see, BadInput for
    an evaluation suite, which judges and is no parent.
    """
    for parent in parents:
        if parent.label.owner != owner and not {EVERYONE, owner} & set(parent.shared_with):
            raise NotFound(f"asset {parent.id!r}")
        if isinstance(parent, Asset) and parent.kind is AssetKind.SUITE:
            raise BadInput("parents", f"{parent.id} is an evaluation suite: it judges, no more")
    label = allowed_of(owner, parents)
    for field, of in _NEEDED.items():
        if not of(label):
            raise _clash(field, _passed_on(owner, parents))
    return label


def allowed_of(owner: str, parents: Sequence[Parent]) -> Label:
    """What all of `parents` allow of what `owner` made of them, which may be nothing."""
    if not parents:
        raise BadInput("parents", "what is made of nothing has no parents: give it a label")
    return _all(_passed_on(owner, parents).values())


def demand_within(new: Label, old: Label, parents: Sequence[Parent]) -> None:
    """Raise BadInput where a change allows something new that its parents do not allow of it."""
    if not parents:
        return
    most = allowed_of(new.owner, parents)
    changed = {one.field for one in loosened(new, old)}
    for beyond in loosened(new, most):
        if beyond.field in changed:
            why = f"its parents allow {beyond.was}: ask for no more, or loosen their labels first"
            raise BadInput(beyond.field, why)


def _passed_on(owner: str, parents: Sequence[Parent]) -> dict[str, Label]:
    return {one.id: replace(passed_on(one.label), owner=owner) for one in parents}


def _all(labels: Iterable[Label]) -> Label:
    first, *others = labels
    return reduce(meet, others, canonical(first))


def _clash(field: str, labels: dict[str, Label]) -> Clash:
    """Names one parent or two where they do, else as few as leave nothing together."""

    def clash(names: Iterable[str]) -> bool:
        return not _NEEDED[field](_all(labels[name] for name in names))

    few = next((n for size in (1, 2) for n in combinations(labels, size) if clash(n)), None)
    if few is None:
        few = tuple(labels)
        for name in labels:
            rest = tuple(one for one in few if one != name)
            few = rest if clash(rest) else few
    said = _SAID[field].format(all=" and ".join(few))
    return Clash(", ".join(few), said, field, few)
