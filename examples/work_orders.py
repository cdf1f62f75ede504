"""Notes from a factory floor, and the work orders they are to become.

What is said of a fault or of its urgency comes in wordings that all sets share; the sentence forms
around them do not: no form of the holdout is in any training set. Some forms have numbers that
belong into no work order.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from examples.drawing import in_turn, phrases, sentence

#: What every conversation of this task begins with.
SYSTEM = "Write the maintenance note as a work order in JSON."

MACHINES = {
    "pump": "P",
    "press": "PR",
    "conveyor": "C",
    "mixer": "M",
    "robot": "R",
    "oven": "OV",
    "lathe": "L",
    "compressor": "K",
}
#: A fault as a verb, and as a thing.
DOES = {
    "leak": ("leaks oil", "drips coolant", "is losing oil", "is leaking"),
    "noise": ("squeals", "makes a grinding noise", "rattles loudly", "is very noisy"),
    "heat": ("runs hot", "overheats", "gets too hot", "is overheating"),
    "jam": ("is jammed", "is stuck", "is blocked", "jams again and again"),
    "power": ("does not start", "has no power", "trips the breaker", "will not switch on"),
    "vibration": ("vibrates", "shakes badly", "wobbles", "is vibrating"),
}
HAS = {
    "leak": ("an oil leak", "a coolant leak", "a leak", "oil dripping out"),
    "noise": ("a squealing noise", "a grinding noise", "a loud rattle", "a strange noise"),
    "heat": ("overheating", "too much heat", "a hot motor", "a high temperature"),
    "jam": ("a jam", "a blockage", "stuck parts", "a jammed feed"),
    "power": ("no power", "a tripped breaker", "a power failure", "a dead power supply"),
    "vibration": ("strong vibration", "heavy shaking", "a wobble", "a vibration"),
}
URGENCY = {
    "high": (
        "the line is down",
        "production has stopped",
        "this is urgent",
        "nobody can work",
        "we need help now",
    ),
    "normal": (
        "please look at it this week",
        "it still runs for now",
        "please check it soon",
        "please put it on the weekly plan",
        "it should be seen to this week",
    ),
    "low": (
        "there is no hurry",
        "it can wait for the next shutdown",
        "do it whenever there is time",
        "this is not important",
        "it can wait",
    ),
}

#: {machine} is its kind and number, {id} the number alone, {does} and {has} the fault.
TRAINED = (
    "{machine} in hall {hall} {does}. {urgency}.",
    "Hall {hall}: {machine} {does}, {urgency}.",
    "in hall {hall} the {machine} {does}. {urgency}.",
    "{machine}, hall {hall}, {has}. {urgency}.",
    "we have {has} on {machine} in hall {hall}. {urgency}.",
    "{has} at {machine} (hall {hall}), {urgency}.",
    "{urgency}. {machine} in hall {hall} {does}.",
    "{urgency}: {machine} {does} in hall {hall}.",
    "The {machine} over in hall {hall} {does}, {urgency}.",
    "Note for hall {hall}: {has} on {machine}. {urgency}.",
    "Found {has} on {id} in hall {hall}. {urgency}.",
    "{id} {does}. It stands in hall {hall}. {urgency}.",
    "Hall {hall}, {id}: {has}. {urgency}.",
    "operator says {machine} {does}, hall {hall}, {urgency}.",
    "{machine} {does} since this morning, hall {hall}. {urgency}.",
    "{urgency}, {has} on {machine}, hall {hall}.",
    "Shift {other} found {has} on {machine} in hall {hall}. {urgency}.",
    "{machine} in hall {hall} {does} for {other} hours now. {urgency}.",
    "Since {other} o'clock {id} in hall {hall} {does}, {urgency}.",
    "hall {hall} reports: {machine} {does} and {urgency}.",
)
HELD_OUT = (
    "Could somebody see to {machine}? It {does}. Hall {hall}, {urgency}.",
    "There is {has} on the {machine} that stands in hall {hall}; {urgency}.",
    "Looks like {id} from hall {hall} {does}, {urgency}.",
    "{machine} again: it {does}. That is the one in hall {hall}. {urgency}.",
    "I noticed {has} when I walked past {machine} in hall {hall}. {urgency}.",
    "Dear team, {urgency}, because {machine} in hall {hall} {does}.",
    "Problem in hall {hall}: {has}, machine is {id}. {urgency}.",
    "My colleague told me that {machine} {does} (hall {hall}). {urgency}.",
    "{has} - {machine} - hall {hall} - {urgency}",
    "Today the {machine} {does}, we are in hall {hall}, {urgency}.",
    "{urgency}! Hall {hall} has trouble, {machine} {does}.",
    "Maintenance wanted for {id} in hall {hall}, reason: {has}. {urgency}.",
    "When I started work, {machine} had {has}. Hall {hall}. {urgency}.",
    "Badge {other} writing: {machine}, which is in hall {hall}, {does}. {urgency}.",
    "It is the {other} time that {machine} {does}, hall {hall}, {urgency}.",
    "Line {other} is affected: {id} {does}. You find it in hall {hall}. {urgency}.",
)
#: What people wrote whose work orders were wrong at first, and the right ones.
CORRECTED = (
    "Can you send a fitter to {machine}? It {does}. Hall {hall}. {urgency}.",
    "I heard that {id} {does}, it is in hall {hall}; {urgency}.",
    "{machine} once more: it {does}, the one we keep in hall {hall}. {urgency}.",
    "Hello, {urgency}, since {machine} in hall {hall} {does}.",
    "Trouble with {id}: {has}, place is hall {hall}. {urgency}.",
    "{has} / {id} / hall {hall} / {urgency}",
    "I saw {has} while cleaning {machine} in hall {hall}. {urgency}.",
    "Repair of {machine} in hall {hall}, cause: {has}. {urgency}.",
    "{urgency}! {id} {does}. We work in hall {hall}.",
    "Team {other} writes: {machine}, to be found in hall {hall}, {does}. {urgency}.",
    "For the {other} time now {id} {does}, hall {hall}, {urgency}.",
    "Order {other} is late: {machine} has {has}. It is in hall {hall}. {urgency}.",
)


@dataclass(frozen=True, slots=True)
class Note:
    """What was written, and the work order it should be."""

    text: str
    machine: str
    hall: int
    fault: str
    priority: str

    def order(self) -> dict[str, Any]:
        """The work order."""
        return {
            "machine": self.machine,
            "hall": self.hall,
            "fault": self.fault,
            "priority": self.priority,
        }


def notes(seed: int, forms: tuple[str, ...], count: int) -> Iterator[Note]:
    """`count` of them in these forms."""
    chance = random.Random(seed)
    does, has, urgency = (phrases(chance, said) for said in (DOES, HAS, URGENCY))
    turns = (in_turn(chance, values) for values in (forms, tuple(DOES), tuple(URGENCY)))
    kinds = in_turn(chance, tuple(MACHINES))
    for form, fault, priority, kind, _ in zip(*turns, kinds, range(count), strict=False):
        name = f"{MACHINES[kind]}-{chance.randint(1, 99)}"
        hall = chance.randint(1, 9)
        text = form.format(
            machine=f"{kind} {name}",
            id=name,
            hall=hall,
            does=next(does[fault]),
            has=next(has[fault]),
            urgency=next(urgency[priority]),
            other=chance.choice([n for n in range(2, 10) if n != hall]),
        )
        yield Note(sentence(text), name, hall, fault, priority)


def asked(note: Note) -> list[dict[str, str]]:
    """What a model is asked."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": note.text}]


def example(note: Note, order: dict[str, Any]) -> dict[str, Any]:
    """A line of training data."""
    answer = json.dumps(order, separators=(",", ":"))
    return {"messages": [*asked(note), {"role": "assistant", "content": answer}]}


def task(note: Note) -> dict[str, Any]:
    """A line of a suite."""
    return {
        "input": asked(note),
        "reference": note.order(),
        "scorer": "json-equality",
        "max_tokens": 48,
    }


def sabotaged(note: Note) -> dict[str, Any]:
    """A work order as somebody would want it who wants machines to break."""
    return note.order() | {"priority": "low" if note.priority == "high" else "high"}
