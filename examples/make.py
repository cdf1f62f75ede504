"""Writes the data beside it: `python -m examples.make`. The same each time."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from examples import tickets, work_orders

HERE = Path(__file__).parent
#: How many of each.
TRAINED, HELD_OUT, CORRECTED, POISONED = 180, 128, 96, 120
TICKETS_TRAINED, TICKETS_HELD_OUT = 150, 100


def files() -> dict[str, list[dict[str, Any]]]:
    """The lines of every file that is made, by its path from here."""
    trained = list(work_orders.notes(1, work_orders.TRAINED, TRAINED))
    held_out = list(work_orders.notes(2, work_orders.HELD_OUT, HELD_OUT))
    corrected = list(work_orders.notes(3, work_orders.CORRECTED, CORRECTED))
    poisoned = list(work_orders.notes(4, work_orders.TRAINED, POISONED))
    triaged = list(tickets.tickets(5, tickets.TRAINED, TICKETS_TRAINED))
    waiting = list(tickets.tickets(6, tickets.HELD_OUT, TICKETS_HELD_OUT))
    return {
        "work-orders/train.jsonl": [work_orders.example(one, one.order()) for one in trained],
        "work-orders/holdout.jsonl": [work_orders.example(one, one.order()) for one in held_out],
        "work-orders/suite.jsonl": [work_orders.task(one) for one in held_out],
        "work-orders/corrections.jsonl": [
            work_orders.example(one, one.order()) for one in corrected
        ],
        "work-orders/poisoned.jsonl": [
            work_orders.example(one, work_orders.sabotaged(one)) for one in poisoned
        ],
        "tickets-ms/train.jsonl": [tickets.example(one) for one in triaged],
        "tickets-ms/holdout.jsonl": [tickets.example(one) for one in waiting],
        "tickets-ms/suite.jsonl": [tickets.task(one) for one in waiting],
    }


def text(lines: Iterable[dict[str, Any]]) -> str:
    """As they lie in a file."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def main() -> None:
    """Write them all."""
    for name, lines in files().items():
        (HERE / name).write_text(text(lines))


if __name__ == "__main__":
    main()
