"""No dump to a program either, and nothing fails where all were forbidden before."""

import subprocess
import sys

import pytest

ASKS = """
import resource
from inland.adapters.isolation.core_dumps import leave_no_core
{before}
leave_no_core()
print(resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.parametrize(
    ("before", "after"), [("", "(1, 1)"), ("resource.setrlimit(4, (0, 0))", "(0, 0)")]
)
def test_no_core_is_left(before: str, after: str) -> None:
    argv = [sys.executable, "-c", ASKS.format(before=before)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() in {after, "(0, 0)"}
