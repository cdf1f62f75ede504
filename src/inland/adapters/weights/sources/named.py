"""Which source an order names."""

from collections.abc import Callable
from pathlib import Path

from inland.adapters.egress.fetching import Fetcher
from inland.adapters.weights.sources.bucket import REGION, BucketSource
from inland.adapters.weights.sources.file import FileSource
from inland.adapters.weights.sources.hub import HUB, HubSource
from inland.adapters.weights.sources.source import Source
from inland.adapters.weights.sources.wheel import WheelSource, usual_index
from inland.domain.errors import BadInput
from inland.ports.intake import Order


def source_of(order: Order, fetcher: Callable[[], Fetcher]) -> Source:
    """By its scheme. Raises BadInput."""
    scheme, _, spec = order.source.partition(":")
    match scheme:
        case "file":
            if not spec.startswith("/"):
                raise BadInput("source", "file: takes an absolute path")
            return FileSource(Path(spec))
        case "pypi":
            return WheelSource(fetcher(), spec, order.endpoint or usual_index())
        case "hf":
            return HubSource(fetcher(), spec, order.endpoint or HUB, order.secret)
        case "s3":
            region = order.region or REGION
            return BucketSource(fetcher(), spec, order.endpoint, region, order.secret)
        case _:
            raise BadInput("source", "begins with pypi:, hf:, file: or s3:")
