"""No dump to a program either, and nothing fails where all were forbidden before."""

import subprocess
import sys
from pathlib import Path

import pytest

ASKS = """
import resource
from inland.adapters.isolation.core_dumps import leave_no_core
{before}
leave_no_core()
print(resource.getrlimit(resource.RLIMIT_CORE))
"""


@pytest.mark.parametrize(
    ("pattern", "limit", "told"),
    [("|/bin/cat", 0, True), ("@/run/dumps", 0, True), ("|/bin/cat", 1, False), ("core", 0, False)],
)
def test_a_limit_of_none_keeps_no_program_from_a_dump(
    pattern: str, limit: int, told: bool, tmp_path: Path
) -> None:
    file = tmp_path / "pattern"
    file.write_text(f"{pattern}\n")
    text = "import resource, pathlib\nfrom inland.adapters.isolation import core_dumps\n"
    text += f"resource.setrlimit(4, ({limit}, {limit}))\n"
    text += f"print(core_dumps.are_handed_over(pathlib.Path({str(file)!r})))"
    argv = [sys.executable, "-c", text]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == str(told)


@pytest.mark.parametrize(
    ("before", "after"), [("", "(1, 1)"), ("resource.setrlimit(4, (0, 0))", "(0, 0)")]
)
def test_no_core_is_left(before: str, after: str) -> None:
    argv = [sys.executable, "-c", ASKS.format(before=before)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() in {after, "(0, 0)"}
