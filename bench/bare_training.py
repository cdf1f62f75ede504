"""Training as a person would write it down: transformers' own `Trainer`, PEFT, no factory.

Run by `bench.line` with the trainer's interpreter; its arguments are a JSON object. The same base,
examples, adapter, batch, epochs and rate as the line beside it; the last line it prints is JSON.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
)

from inland.adapters.training.base import TARGETS, has_bfloat16

#: What is not learned from, as the collator and the loss know it.
_UNLEARNED = -100


def _examples(path: str, tokenizer: Any) -> list[dict[str, list[int]]]:
    """Of each line the tokens, of which the last message's are learned."""
    found = []
    for line in Path(path).read_text("utf-8").splitlines():
        messages = json.loads(line)["messages"]
        asked = tokenizer.apply_chat_template(
            messages[:-1], add_generation_prompt=True, return_dict=False
        )
        whole = tokenizer.apply_chat_template(messages, return_dict=False)
        labels = [_UNLEARNED] * len(asked) + whole[len(asked) :]
        found.append({"input_ids": whole, "labels": labels, "attention_mask": [1] * len(whole)})
    return found


def train(given: dict[str, Any], folder: str) -> dict[str, Any]:
    """Train, and keep the adapter in `folder`."""
    torch.set_num_threads(given["threads"])
    base = Path(given["base"])
    tokenizer = AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(
        base.parent, gguf_file=base.name, dtype=torch.float32
    )
    # Its tensors are plain by now; a `Trainer` takes no model that says it was read from a GGUF.
    model.is_quantized = False
    config = LoraConfig(
        r=given["rank"],
        lora_alpha=given["alpha"],
        target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=given["epochs"],
        per_device_train_batch_size=given["batch"],
        per_device_eval_batch_size=given["batch"],
        learning_rate=given["learning_rate"],
        lr_scheduler_type="cosine",
        weight_decay=0.0,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=given["checkpoint_steps"],
        save_total_limit=2,
        bf16=has_bfloat16(),
        use_cpu=True,
        dataloader_num_workers=0,
        seed=given["seed"],
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=get_peft_model(model, config),
        args=arguments,
        train_dataset=_examples(given["data"], tokenizer),
        eval_dataset=_examples(given["holdout"], tokenizer),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=_UNLEARNED),
    )
    told = trainer.train()
    trainer.save_model(folder)
    held = [one["eval_loss"] for one in trainer.state.log_history if "eval_loss" in one]
    return {"steps": told.global_step, "train_s": told.metrics["train_runtime"], "holdout": held}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(train(json.loads(sys.argv[1]), place)))
