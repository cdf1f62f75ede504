"""Values that reach what lies behind a name, for requests that the contract allows."""

from collections.abc import Mapping
from typing import Any

#: Parameters by operation and name, or by name alone; or a property of a body.
Narrowing = Mapping[str, dict[str, Any]]
#: A small deployment of the embedded model: an answer that runs on ends soon.
TINY, CONTEXT = "tiny", 128
CONTRACTS: Narrowing = {
    "NewContract:tenant": {"enum": ["fodder", "nobody-here"]},
    "NewContract:deployment": {"enum": [TINY, "nothing"]},
    "NewContract:tokens_per_second": {"enum": [0, 1]},
    "NewContract:ttft_ms": {"enum": [None]},
    "NewContract:prompt_tokens": {"enum": [64, CONTEXT]},
    "NewContract:burst_tokens": {"enum": [0, 10]},
    "NewContract:weight": {"enum": [1, 0]},
}

BILLING: Narrowing = {
    "NewPrice:deployment": {"enum": [TINY, "nothing"]},
    "NewPrice:currency": {"enum": ["EUR", "XXX"]},
    "NewPrice:prompt": {"enum": ["0.15", "free"]},
    "NewPrice:cached": {"enum": [None, "0.05"]},
    "NewPrice:completion": {"enum": ["0.60", "-1"]},
    "NewPrice:since": {"enum": [None, 1]},
    "NewBudget:tenant": {"enum": ["fodder", "nobody-here"]},
    "NewBudget:key": {"enum": [None, "aaaaaaaaaaaaaaaa"]},
    "NewBudget:unit": {"enum": ["tokens", "EUR", "wood"]},
    "NewBudget:amount": {"enum": ["100000", "12.50", "much"]},
    "budgets.remove.tenant": {"enum": ["fodder", "nobody-here"]},
    "budgets.remove.key": {"enum": ["aaaaaaaaaaaaaaaa"]},
    "budgets.remove.unit": {"enum": ["tokens", "EUR"]},
}

ASSETS: Narrowing = {
    "AddAsset:tenant": {"enum": ["caller", "nobody-here"]},
    "AddAsset:kind": {"enum": ["dataset", "suite"]},
    "AddAsset:name": {"enum": ["grown", "", "\n"]},
    "AddAsset:bytes": {"enum": [0, 1, -1]},
    "AddAsset:parents": {"enum": [[], ["nothing"]]},
    "AddAsset:run": {"enum": ["", "run-1"]},
    "AddAsset:resume": {"enum": ["", "the same"]},
    "AddAsset:label": {"enum": [{}, {"purposes": ["train"]}]},
    "Sharing:add": {"enum": [["fodder"], ["No Name"], []]},
    "Sharing:remove": {"enum": [[], ["nobody-here"]]},
    "Terms:jurisdictions": {"enum": [None, ["Atlantis"]]},
    "Terms:storage": {"enum": [None]},
    "Terms:purposes": {"enum": [["train"], []]},
    "Terms:retention_days": {"enum": [None, 0]},
    "NewMove:to": {"enum": ["local", "nowhere"]},
    "NewExport:destination": {"enum": [None, "nowhere"]},
    "NewExport:recipient": {"enum": ["", "age1x", "?"]},
}

#: What reads assets, and records of months long over.
JOBS: Narrowing = {
    "NewJob:tenant": {"enum": ["caller", "nobody-here"]},
    "NewJob:purpose": {"enum": ["train"]},
    "NewJob:command": {"enum": [["true"], []]},
    "NewJob:readable": {"enum": [[]]},
    "NewJob:seconds": {"enum": [None]},
    "Destroy:tenant": {"enum": ["caller", "nobody-here"]},
    "Destroy:before": {"enum": ["2020-01-01", "never"]},
    "Destroy:only_tell": {"enum": [True, False]},
}

#: Guards that find nothing of what is asked here.
GUARDS: Narrowing = {
    "guards.remove.name": {"enum": ["held", "nothing"]},
    "NewGuard:name": {"enum": ["made", "No Name"]},
    "NewGuard:finds": {"enum": [["card"], ["nonsense"]]},
    "NewGuard:patterns": {"enum": [[]]},
    "NewGuard:deployment": {"enum": [None, TINY, "nothing"]},
    "NewGuard:classifier": {"enum": [None, "nothing"]},
    "NewGuard:category": {"enum": [None, "nonsense"]},
    "NewGuard:tenant": {"enum": [None, "fodder", "nobody-here"]},
}

#: A line whose runs end with their check.
LINE = f"""
name = "nightly"
base = "{TINY}"
suite = [{{name = "s", asset = "empty"}}]
gate.score = [{{suite = "s", least = 0.5}}]
"""
#: One that trains, on what is no data.
TRAINED = f"""{LINE.replace("nightly", "tuned")}
data.train = ["f.jsonl"]
method = {{}}
"""
JOBS_ASKED: Narrowing = {
    "AddJob:model": {"enum": [TINY]},
    "AddJob:validation_file": {"enum": [None]},
    "AddJob:suffix": {"enum": [None, "mine", "M"]},
    "AddJob:seed": {"enum": [None, 1]},
    "AddJob:hyperparameters": {"enum": [None, {"n_epochs": "auto", "batch_size": 2}]},
    "AddJob:method": {"enum": [None]},
}
