"""Write `docs/examples` again, after a format changed on purpose: `python -m` this module."""

from pathlib import Path

from tests.unit.ledger import example

FOLDER = Path(__file__).parents[3] / "docs" / "examples"

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in example.published().items():
        (FOLDER / name).write_bytes(data)
