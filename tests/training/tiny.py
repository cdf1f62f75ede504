"""A llama of two small blocks with weights of chance, as a GGUF: made in a blink, and its tokenizer
and template are as real as a large one's."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

BLOCKS, WIDTH, HEADS, KEY_HEADS, INNER, CONTEXT = 2, 64, 4, 2, 96, 512
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("h e", "l l", "he ll", "hell o", "Ġ t", "a n", "i n", "e r")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def _bytes() -> list[str]:
    """The letter that stands for each byte in vocabularies like GPT-2's."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [one for one in range(256) if one not in plain]
    letters = {one: chr(one) for one in plain} | {b: chr(256 + n) for n, b in enumerate(others)}
    return [letters[one] for one in range(256)]


VOCABULARY = (*SPECIAL, *_bytes(), *(merge.replace(" ", "") for merge in MERGES))


def write(to: Path, seed: int = 1, template: str | None = TEMPLATE) -> Path:
    """At `to`."""
    chance = np.random.default_rng(seed)
    writer = GGUFWriter(to, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(VOCABULARY))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(list(VOCABULARY))
    kinds = [TokenType.CONTROL] * len(SPECIAL)
    kinds += [TokenType.NORMAL] * (len(VOCABULARY) - len(SPECIAL))
    writer.add_token_types(kinds)
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    if template is not None:
        writer.add_chat_template(template)
    for name, shape in _shapes().items():
        scale = 1.0 if "norm" in name else 2.0 / np.sqrt(shape[-1])
        drawn = 1.0 + 0.1 * chance.normal(size=shape) if "norm" in name else None
        tensor = scale * chance.normal(size=shape) if drawn is None else drawn
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


def _shapes() -> dict[str, tuple[int, ...]]:
    keys = WIDTH // HEADS * KEY_HEADS
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(VOCABULARY), WIDTH),
        "output_norm.weight": (WIDTH,),
        "output.weight": (len(VOCABULARY), WIDTH),
    }
    for block in range(BLOCKS):
        found |= {
            f"blk.{block}.attn_norm.weight": (WIDTH,),
            f"blk.{block}.attn_q.weight": (WIDTH, WIDTH),
            f"blk.{block}.attn_k.weight": (keys, WIDTH),
            f"blk.{block}.attn_v.weight": (keys, WIDTH),
            f"blk.{block}.attn_output.weight": (WIDTH, WIDTH),
            f"blk.{block}.ffn_norm.weight": (WIDTH,),
            f"blk.{block}.ffn_gate.weight": (INNER, WIDTH),
            f"blk.{block}.ffn_up.weight": (INNER, WIDTH),
            f"blk.{block}.ffn_down.weight": (WIDTH, INNER),
        }
    return found
