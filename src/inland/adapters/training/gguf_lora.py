"""An adapter as llama.cpp takes it: GGUF, its parts under llama.cpp's names.

llama.cpp turns the first half of each head's dimensions into pairs with the second; its weights
have their rows of q and k in that order, and so must what is added to them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from gguf.constants import MODEL_ARCH
from gguf.tensor_mapping import get_tensor_name_map
from safetensors.numpy import load

from inland.domain.errors import BadInput

_PREFIX = "base_model.model."
_SIDES = {".lora_A.weight": ".weight.lora_a", ".lora_B.weight": ".weight.lora_b"}


def write(adapter: bytes, alpha: int, heads: tuple[int, int], blocks: int, to: Path) -> None:
    """Write the `adapter` (safetensors, as PEFT names its parts) of a llama to `to`.

    `heads`: of queries and of keys. Raises BadInput where a part has no place in llama.cpp.
    """
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, blocks)
    writer = GGUFWriter(to, "llama")
    try:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(alpha))
        for name, part in sorted(load(adapter).items()):
            writer.add_tensor(_named(name, names), _ordered(name, part, heads))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _named(name: str, names: Any) -> str:
    for ours, theirs in _SIDES.items():
        found = names.get_name(name.removeprefix(_PREFIX).removesuffix(ours))
        if name.endswith(ours) and found is not None:
            return f"{found}{theirs}"
    raise BadInput("adapter", f"llama.cpp has no place for {name}")


def _ordered(name: str, part: Any, heads: tuple[int, int]) -> Any:
    """Rows of what is added to q and k in llama.cpp's order: within a head, halves interleaved."""
    queries, keys = heads
    for ending, count in ((".q_proj.lora_B.weight", queries), (".k_proj.lora_B.weight", keys)):
        if name.endswith(ending):
            rows, rank = part.shape
            halves = part.reshape(count, 2, rows // count // 2, rank)
            part = halves.swapaxes(1, 2).reshape(rows, rank)
    return np.ascontiguousarray(part, dtype=np.float32)
