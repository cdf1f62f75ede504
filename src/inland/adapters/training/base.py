"""The base model as it is read from its GGUF, once, and the adapter that is trained upon it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from inland.adapters.training import configuration, gguf_lora
from inland.domain.errors import BadInput
from inland.domain.lines import Method

#: Every matrix of a block.
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TOLD, _GGUF = 300, b"GGUF"

logging.set_verbosity_error()
logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class Base:
    """A model of the architecture `kind`, and what makes tokens for it."""

    model: Any
    tokenizer: Any
    kind: str


def load(path: str) -> Base:
    """The model in the GGUF at `path`. Raises BadInput where it cannot be trained."""
    file = Path(path)
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            **where, local_files_only=True, dtype=torch.float32, attn_implementation="sdpa"
        )
    except Exception as error:  # noqa: BLE001 - whatever a library says of it, it is refused
        why = " ".join(f"{type(error).__name__}: {error}".split())[:_TOLD]
        raise BadInput("base", f"cannot be read for training: {why}") from None
    kind = model.config.model_type
    if kind != "llama":
        raise BadInput("base", f"is of the architecture {kind}; adapters are made for llama alone")
    if not tokenizer.chat_template:
        raise BadInput("base", "has no chat template, so nobody knows how to talk to it")
    return Base(model, tokenizer, kind)


def speed_up(model: Any) -> bool:
    """Let the blocks' matrices, which do not change, be bfloat16 where this processor multiplies
    such; whether it does."""
    if not has_bfloat16():
        return False
    for name, module in model.named_modules():
        if name.endswith(TARGETS) and isinstance(module, torch.nn.Linear):
            module.to(torch.bfloat16)
    return True


def has_bfloat16() -> bool:
    """Whether multiplying them is what this processor does, rather than emulates."""
    flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    return "amx_bf16" in flags or "avx512_bf16" in flags


def with_adapter(model: Any, method: Method) -> Any:
    """`model` with an adapter that does nothing yet: its seed is torch's."""
    config = LoraConfig(
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=0.0,
        target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def adapter_bytes(model: Any, method: Method) -> bytes:
    """The adapter as PEFT names its parts, its configuration in the file's own metadata."""
    parts = {
        name: part.detach().float().contiguous()
        for name, part in sorted(get_peft_model_state_dict(model).items())
    }
    told = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": method.rank,
        "lora_alpha": method.alpha,
        "target_modules": list(TARGETS),
    }
    # One entry alone: the library writes several in an order of chance.
    return save(parts, {configuration.ENTRY: json.dumps(told, sort_keys=True)})


def shape_of(model: Any) -> tuple[tuple[int, int], int]:
    """Its heads, of queries and of keys, and its blocks."""
    config = model.config
    return (config.num_attention_heads, config.num_key_value_heads), config.num_hidden_layers


def take_adapter(model: Any, path: str, method: Method) -> None:
    """Go on from the adapter at `path`, in either form. Raises BadInput where it is of another
    shape."""
    mine = get_peft_model_state_dict(model)
    with Path(path).open("rb") as file:
        is_gguf = file.read(len(_GGUF)) == _GGUF
    parts, rank, alpha = _of_gguf(path, mine, model) if is_gguf else _of_safetensors(path)
    if (rank, alpha) != (method.rank, method.alpha):
        raise BadInput(
            "start_adapter",
            f"has rank {rank} and alpha {alpha}, the method"
            f" {method.rank} and {method.alpha}; they must be the same",
        )
    if {name: part.shape for name, part in parts.items()} != {
        name: part.shape for name, part in mine.items()
    }:
        raise BadInput("start_adapter", "is of another base: its parts have other shapes")
    set_peft_model_state_dict(model, parts)


_Read = tuple[dict[str, torch.Tensor], int | None, int | None]


def _of_safetensors(path: str) -> _Read:
    try:
        with safe_open(path, framework="pt") as file:
            rank, alpha = configuration.rank_and_alpha(file.metadata())
            parts = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, ValueError, SafetensorError) as error:
        raise BadInput("start_adapter", f"is no adapter: {error}") from None
    return parts, rank, alpha


def _of_gguf(path: str, mine: Iterable[str], model: Any) -> _Read:
    found, alpha = gguf_lora.read(path, mine, *shape_of(model))
    parts = {name: torch.from_numpy(part) for name, part in found.items()}
    rank = next((len(part) for name, part in parts.items() if ".lora_A." in name), None)
    return parts, rank, round(alpha)
