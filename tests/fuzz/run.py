"""Look for bytes that break a law: `python -m tests.fuzz.run TARGET FOLDERS -max_total_time=60`.

Everything behind the target is libFuzzer's. New inputs go to the first folder.
"""

import sys

import atheris

with atheris.instrument_imports(include=["inland.gateway", "inland.adapters", "inland.domain"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until the time is up, or something breaks."""
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
