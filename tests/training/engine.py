"""llama.cpp in this process, with one adapter or none: what an engine answers, greedily."""

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

from inland.decide.evaluation.scorers import score
from inland.decide.evaluation.suite import Task

SLOTS, CONTEXT = 4, 1024


class Engine:
    """Serves `model` until it is let go."""

    def __init__(self, model: Path, adapter: Path | None = None, threads: int = 1) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.hostnames = [str(Path(tempfile.mkdtemp(prefix="inl-")) / "engine.sock")]
        params.verbosity = -1
        params.warmup = params.ui = params.endpoint_slots = params.endpoint_props = False
        params.offline = True
        if adapter is not None:
            added = xllamacpp.CommonAdapterLoraInfo()
            added.path, added.scale = str(adapter), 1.0
            params.lora_adapters = [added]
        self._server = xllamacpp.Server(params)

    def answer(self, messages: Sequence[dict[str, str]], tokens: int) -> str:
        """What it says, the likeliest token each time."""
        body = {"messages": list(messages), "max_tokens": tokens, "temperature": 0.0}
        told = self._server.handle_chat_completions(body)
        found: str = _object(told)["choices"][0]["message"]["content"]
        return found

    def likelihoods(self, prompt: Sequence[int], vocabulary: int, letter: int) -> dict[int, float]:
        """The logarithm of how likely each token is after `prompt`. `letter`: a token that is text
        by itself, which is what it has to say: of others it may tell nothing."""
        body = {"prompt": list(prompt), "max_tokens": 1, "temperature": 0.0, "logprobs": vocabulary}
        body["logit_bias"] = [[letter, 1000.0]]
        (choice,) = _object(self._server.handle_completions(body))["choices"]
        (place,) = choice["logprobs"]["content"]
        return {one["id"]: one["logprob"] for one in place["top_logprobs"]}

    def scores(self, tasks: Sequence[Task]) -> list[float]:
        """What its answers to a suite are worth."""

        def worth(task: Task) -> float:
            asked = [{"role": one.role.value, "content": one.content} for one in task.messages]
            return score(task, self.answer(asked, task.answer_tokens)).value

        with ThreadPoolExecutor(SLOTS) as side_by_side:
            return list(side_by_side.map(worth, tasks))


def _object(told: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told) if isinstance(told, (str, bytes)) else told
    return found
