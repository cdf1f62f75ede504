"""Adapters for the embedded model, made here: LoRA of random weights, drawn from a seed, as GGUF.

They have the model's shapes and teach it nothing: enough to tell whose answer one is.
"""

from collections.abc import Collection
from pathlib import Path

import gguf
import numpy as np

#: SmolLM2-135M: blocks, the width between them, that of its keys and that inside a feed-forward.
BLOCKS, WIDTH, KEYS, INNER = 30, 576, 192, 1536
RANK = 4
#: A block's matrices: what goes in, and what comes out.
SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, KEYS),
    "attn_v": (WIDTH, KEYS),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (WIDTH, INNER),
    "ffn_up": (WIDTH, INNER),
    "ffn_down": (INNER, WIDTH),
}


def adapter(
    path: Path,
    seed: int,
    strength: float = 0.2,
    width: int = WIDTH,
    rank: int = RANK,
    matrices: Collection[str] = ("ffn_down",),
) -> Path:
    """A file of an adapter: another seed, other answers. With a `width` that the model does not
    have, one that no engine loads."""
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for block in range(BLOCKS):
        for matrix in matrices:
            into, out = SHAPES[matrix]
            name = f"blk.{block}.{matrix}.weight"
            down = draw.standard_normal((rank, into), np.float32) * np.float32(strength)
            up_shape = (width if out == WIDTH else out, rank)
            up = draw.standard_normal(up_shape, np.float32) * np.float32(strength)
            writer.add_tensor(f"{name}.lora_a", down)
            writer.add_tensor(f"{name}.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
