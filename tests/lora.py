"""Adapters for the embedded model, made here: LoRA of random weights, drawn from a seed, as GGUF.

They have the model's shapes and teach it nothing: enough to tell whose answer one is.
"""

from pathlib import Path

import gguf
import numpy as np

#: SmolLM2-135M: blocks, the width between them and that inside a feed-forward.
BLOCKS, WIDTH, INNER = 30, 576, 1536
RANK = 4


def adapter(path: Path, seed: int, strength: float = 0.2, width: int = WIDTH) -> Path:
    """A file of an adapter: another seed, other answers. With a `width` that the model does not
    have, one that no engine loads."""
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    for block in range(BLOCKS):
        name = f"blk.{block}.ffn_down.weight"
        down = draw.standard_normal((RANK, INNER)) * strength
        up = draw.standard_normal((width, RANK)) * strength
        writer.add_tensor(f"{name}.lora_a", down.astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", up.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
