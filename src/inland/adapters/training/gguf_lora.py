"""An adapter as llama.cpp takes it: GGUF, its parts under llama.cpp's names; and back.

llama.cpp turns the first half of each head's dimensions into pairs with the second; its weights
have their rows of q and k in that order, and so must what is added to them.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFWriter
from gguf.constants import MODEL_ARCH
from gguf.tensor_mapping import get_tensor_name_map
from safetensors.numpy import load

from inland.domain.errors import BadInput

_PREFIX = "base_model.model."
_SIDES = {".lora_A.weight": ".weight.lora_a", ".lora_B.weight": ".weight.lora_b"}


def gguf(adapter: bytes, alpha: int, heads: tuple[int, int], blocks: int) -> bytes:
    """The `adapter` (safetensors, as PEFT names its parts) of a llama, as such a file.

    `heads`: of queries and of keys. Raises BadInput where a part has no place in llama.cpp.
    """
    descriptor = os.memfd_create("gguf", os.MFD_CLOEXEC)  # its writer wants a path
    with os.fdopen(descriptor, "rb") as file:
        _write(adapter, alpha, heads, blocks, Path(f"/proc/self/fd/{descriptor}"))
        return file.read()


def _write(adapter: bytes, alpha: int, heads: tuple[int, int], blocks: int, to: Path) -> None:
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


def read(
    path: str, wanted: Iterable[str], heads: tuple[int, int], blocks: int
) -> tuple[dict[str, Any], float]:
    """The parts of what `gguf` made, as PEFT names those that are `wanted`, and its alpha, which
    is finite. Raises BadInput where it has others."""
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, blocks)
    try:
        reader = GGUFReader(path)
        alpha = float(reader.fields["adapter.lora.alpha"].contents())
    except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
        raise BadInput("start_adapter", f"is no adapter: {error}") from None
    if not math.isfinite(alpha):
        raise BadInput("start_adapter", f"is no adapter: its alpha is {alpha}")
    there = {one.name: one.data for one in reader.tensors}
    called = {name: _named(name, names) for name in wanted}
    if there.keys() != set(called.values()):
        raise BadInput("start_adapter", "is of another base: its parts have other names")
    try:
        parts = {name: _unordered(name, there[one], heads) for name, one in called.items()}
    except ValueError:
        raise BadInput("start_adapter", "is of another base: its parts have other shapes") from None
    return parts, alpha


def _named(name: str, names: Any) -> str:
    for ours, theirs in _SIDES.items():
        found = names.get_name(name.removeprefix(_PREFIX).removesuffix(ours))
        if name.endswith(ours) and found is not None:
            return f"{found}{theirs}"
    raise BadInput("adapter", f"llama.cpp has no place for {name}")


def _ordered(name: str, part: Any, heads: tuple[int, int]) -> Any:
    """Rows of what is added to q and k in llama.cpp's order: within a head, halves interleaved."""
    if count := _heads_of(name, heads):
        rows, rank = part.shape
        halves = part.reshape(count, 2, rows // count // 2, rank)
        part = halves.swapaxes(1, 2).reshape(rows, rank)
    return np.ascontiguousarray(part, dtype=np.float32)


def _unordered(name: str, part: Any, heads: tuple[int, int]) -> Any:
    """The other way round."""
    if count := _heads_of(name, heads):
        rows, rank = part.shape
        pairs = part.reshape(count, rows // count // 2, 2, rank)
        part = pairs.swapaxes(1, 2).reshape(rows, rank)
    return np.array(part, dtype=np.float32)  # a copy: what is read is mapped


def _heads_of(name: str, heads: tuple[int, int]) -> int:
    """How many the rows of a part belong to; 0 where their order is the same in both."""
    queries, keys = heads
    for ending, count in ((".q_proj.lora_B.weight", queries), (".k_proj.lora_B.weight", keys)):
        if name.endswith(ending):
            return count
    return 0
