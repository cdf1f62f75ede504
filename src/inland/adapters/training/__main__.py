"""The trainer: `python -m inland.adapters.training …` (`command.py` says what), an event a line.

Ends with 0 where it trained, with 1 and a `refused` event where the order cannot be followed. With
`--account` it says what of a trainer this Python has.
"""

import sys

from inland.adapters.training import command, events, installed
from inland.domain.errors import BadInput
from inland.ports.trainer import Refused, TrainEvent


def main(argv: list[str]) -> int:
    """Follow the order in `argv`."""
    if argv == [command.ACCOUNT]:
        sys.stdout.write(installed.account(installed.lacking()) + "\n")
        return 0
    order, places = command.parsed(argv)
    from inland.adapters.training.training import train  # noqa: PLC0415 - loads torch: seconds

    try:
        train(order, places, _say)
    except BadInput as error:
        _say(Refused(str(error)))
        return 1
    return 0


def _say(event: TrainEvent) -> None:
    sys.stdout.write(events.line(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
