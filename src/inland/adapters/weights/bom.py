"""A model's bill of materials: what it is, whence, under which licence. CycloneDX 1.7, as JSON."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inland import __version__

if TYPE_CHECKING:
    from cyclonedx.model.license import License

_PREFIX = "inland:"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is written of a model. `more`: what the inspection found, and the source, by name."""

    name: str
    sha256: str
    licence: str
    more: dict[str, str]


def document(told: Facts) -> bytes:
    """The bill of materials, by the library that knows the format."""
    from cyclonedx.model import HashAlgorithm, HashType, Property  # noqa: PLC0415 - no start needs it
    from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.model.tool import ToolRepository  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot7  # noqa: PLC0415

    component = Component(
        name=told.name,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{told.name}",
        version=told.sha256[:16],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=told.sha256)],
        licenses=_licences(told.licence),
        properties=[
            Property(name=_PREFIX + name, value=value) for name, value in told.more.items() if value
        ],
    )
    inland = Component(name="inland", type=ComponentType.APPLICATION, version=__version__)
    bom = Bom(metadata=BomMetaData(component=component, tools=ToolRepository(components=[inland])))
    return JsonV1Dot7(bom).output_as_string(indent=2).encode()


def _licences(licence: str) -> "list[License]":
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415 - as above

    return [LicenseFactory().make_from_string(licence)] if licence else []


def facts(document: bytes) -> dict[str, str]:
    """What `more` was, of a document of ours."""
    told: Any = json.loads(document)
    found = told["metadata"]["component"].get("properties", [])
    return {str(one["name"]).removeprefix(_PREFIX): str(one["value"]) for one in found}
