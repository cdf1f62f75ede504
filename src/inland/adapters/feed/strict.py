"""Types that refuse what they do not know: a dataclass, and all inside it, as strict structs.

A field that a newer version added may forbid something. Whoever passed it over would allow it.
"""

from dataclasses import MISSING, Field, fields, is_dataclass
from functools import reduce
from operator import or_
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec


def strictly(kind: Any) -> Any:
    """A type that msgspec decodes as `kind`, save that a field it does not have is an error."""
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        members = [_member(field, strictly(hints[field.name])) for field in fields(kind)]
        return msgspec.defstruct(kind.__name__, members, forbid_unknown_fields=True)
    if get_origin(kind) in {dict, tuple, list}:
        return get_origin(kind)[tuple(strictly(one) for one in get_args(kind))]
    if get_origin(kind) is UnionType:
        return reduce(or_, (strictly(one) for one in get_args(kind)))
    assert not any(is_dataclass(one) for one in get_args(kind)), f"{kind}: say how it is strict"
    return kind


def _member(field: "Field[Any]", kind: Any) -> Any:
    if field.default is not MISSING:
        return field.name, kind, field.default
    if field.default_factory is not MISSING:
        return field.name, kind, msgspec.field(default_factory=field.default_factory)
    return field.name, kind
