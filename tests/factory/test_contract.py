"""What the contract promises, a running factory answers: every route, every role, small."""

from pathlib import Path

import pytest

from tests.factory.contract import run


@pytest.mark.timeout(1800)  # of some thousand requests none hangs, however slow the machine is
def test_a_running_factory_keeps_its_contract(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    ran = run(tmp_path, seed=1, size=3, thorough=False)
    assert not ran.failures, "\n".join(ran.failures)
    assert not ran.logged, "\n".join(ran.logged)
    assert not ran.unreached, f"no request got to do anything there: {sorted(ran.unreached)}"
