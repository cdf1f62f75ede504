"""A llama of some hundred kilobytes whose weights are drawn by chance: a model file for tests that
follow each of its bytes. It serves, and says nothing."""

from pathlib import Path

import gguf
import numpy as np

WIDTH, HEADS, INNER, CONTEXT, LAYERS = 64, 4, 128, 2048, 1
#: Rows of the embedding that no text leads to: what is planted lies there.
SPARE = 4
_SPECIAL = ["<unk>", "<s>", "</s>"]
_LETTERS = [chr(one) for one in range(33, 127)]
_TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


def write(to: Path, description: str, planted: str, seed: int = 1) -> Path:
    """At `to`, with `description` in its metadata and `planted` in its first tensor."""
    writer = gguf.GGUFWriter(to, "llama")
    writer.add_description(description)
    writer.add_license("apache-2.0")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    size = _tokens(writer)
    writer.add_vocab_size(size)
    for name, tensor in _tensors(size, planted, seed).items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


def _tokens(writer: gguf.GGUFWriter) -> int:
    """Words of one letter, and every byte; how many."""
    kinds = gguf.TokenType
    tokens = [(one, kinds.CONTROL) for one in _SPECIAL]
    tokens[0] = (_SPECIAL[0], kinds.UNKNOWN)
    tokens += [(f"<0x{one:02X}>", kinds.BYTE) for one in range(256)]
    tokens += [("\u2581", kinds.NORMAL), *((one, kinds.NORMAL) for one in _LETTERS)]
    tokens += [(f"<spare-{one}>", kinds.UNUSED) for one in range(SPARE)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_TEMPLATE)
    return len(tokens)


def _tensors(size: int, planted: str, seed: int) -> dict[str, np.ndarray]:
    dice = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return dice.normal(0, 0.05, shape).astype(np.float32)

    embedding = drawn(size, WIDTH).astype(np.float16)
    row = planted.encode("ascii").ljust(WIDTH * 2, b"~")[: WIDTH * 2]
    embedding[-SPARE:] = np.frombuffer(row, np.float16)
    block = "blk.0."
    ones = np.ones(WIDTH, np.float32)
    return {
        "token_embd": embedding,
        f"{block}attn_norm": ones,
        **{f"{block}attn_{one}": drawn(WIDTH, WIDTH) for one in ("q", "k", "v", "output")},
        f"{block}ffn_norm": ones,
        f"{block}ffn_gate": drawn(INNER, WIDTH),
        f"{block}ffn_up": drawn(INNER, WIDTH),
        f"{block}ffn_down": drawn(WIDTH, INNER),
        "output_norm": ones,
        "output": drawn(size, WIDTH),
    }
