"""How an adapter's file says it was made: PEFT's configuration, in the file's own metadata."""

import json
from collections.abc import Mapping
from typing import Any

from inland.domain.errors import BadInput

#: Of the metadata.
ENTRY = "adapter_config"


def rank_and_alpha(metadata: Mapping[str, str] | None) -> tuple[Any, Any]:
    """What it says they are, None each where it does not. Raises BadInput for what is no object."""
    try:
        told = json.loads((metadata or {}).get(ENTRY, "{}"))
    except (ValueError, RecursionError) as error:
        raise BadInput("start_adapter", f"is no adapter: {error}") from None
    if not isinstance(told, dict):
        raise BadInput("start_adapter", "is no adapter: its configuration is no object")
    return told.get("r"), told.get("lora_alpha")
