"""An adapter is the same whichever of its two forms it is read from."""

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import save

from inland.adapters.training import gguf_lora
from inland.domain.errors import BadInput

BLOCKS, WIDTH, RANK, HEADS = 2, 16, 3, (4, 2)
KEYS = WIDTH // HEADS[0] * HEADS[1]
SHAPES = {"q_proj": (WIDTH, WIDTH), "k_proj": (KEYS, WIDTH), "o_proj": (WIDTH, WIDTH)}


def parts(seed: int = 1) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    found = {}
    for block in range(BLOCKS):
        for name, (out, into) in SHAPES.items():
            at = f"base_model.model.model.layers.{block}.self_attn.{name}"
            found[f"{at}.lora_A.weight"] = draw.normal(size=(RANK, into)).astype(np.float32)
            found[f"{at}.lora_B.weight"] = draw.normal(size=(out, RANK)).astype(np.float32)
    return found


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "adapter.gguf"
    file.write_bytes(gguf_lora.gguf(save(parts()), 8, HEADS, BLOCKS))
    return str(file)


def test_what_was_written_is_read_back_to_the_bit(written):
    found, alpha = gguf_lora.read(written, parts(), HEADS, BLOCKS)
    assert alpha == 8.0
    assert found.keys() == parts().keys()
    assert all(np.array_equal(found[name], part) for name, part in parts().items())


def test_the_same_adapter_is_the_same_file():
    one, two = (gguf_lora.gguf(save(parts()), 8, HEADS, BLOCKS) for _ in range(2))
    assert one == two


def test_an_adapter_of_other_parts_or_none_is_refused(written, tmp_path):
    fewer = dict(list(parts().items())[1:])
    with pytest.raises(BadInput, match="another base"):
        gguf_lora.read(written, fewer, HEADS, BLOCKS)
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(b"GGUF and no more")
    with pytest.raises(BadInput, match="is no adapter"):
        gguf_lora.read(str(torn), parts(), HEADS, BLOCKS)


@pytest.mark.parametrize(
    ("kind", "alpha"),
    [
        ("float32", float("nan")),
        ("float32", float("inf")),
        ("array", [8.0]),
        ("string", "eight"),
    ],
)
def test_an_alpha_that_is_no_number_is_refused(kind, alpha, tmp_path):
    file = tmp_path / "adapter.gguf"
    writer = GGUFWriter(file, "llama")
    getattr(writer, f"add_{kind}")("adapter.lora.alpha", alpha)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(BadInput, match="start_adapter: is no adapter"):
        gguf_lora.read(str(file), {}, HEADS, BLOCKS)


@pytest.mark.parametrize("shape", [(3,), (6, 5), (2, 3, 4)])
def test_an_adapter_whose_heads_cannot_be_told_apart_is_refused(shape, tmp_path):
    file = tmp_path / "adapter.gguf"
    other = {name: np.zeros(shape, np.float32) for name in parts() if ".q_proj.lora_B." in name}
    writer = GGUFWriter(file, "llama")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for block, part in enumerate(other.values()):
        writer.add_tensor(f"blk.{block}.attn_q.weight.lora_b", part)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(BadInput, match="other shapes"):
        gguf_lora.read(str(file), other, HEADS, BLOCKS)
