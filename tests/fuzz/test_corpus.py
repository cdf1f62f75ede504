"""What fuzzing found, and what it starts from, breaks no law."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_no_kept_input_breaks_a_law(target: str) -> None:
    inputs = sorted((CORPUS / target).iterdir())
    assert inputs
    for path in inputs:
        data = path.read_bytes()
        for cuts in (data[:1], b"\x00", b"\x01", b"\xff"):
            whole = data if target == "body" else cuts + data[1:]
            try:
                TARGETS[target](whole)
            except Exception as error:
                raise AssertionError(f"{path.name}, cut as {cuts.hex()}") from error
