"""A folder's hash is what anybody gets from `sha256sum`."""

import os
import subprocess
from pathlib import Path

from inland.adapters.weights.digest import file_sha256


def test_a_folders_hash_is_that_of_its_sums(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "b").mkdir(parents=True)
    for name in ("config.json", "b/model-1.safetensors", "b-2.safetensors"):
        (folder / name).write_text(name)
    (folder / "link").symlink_to(folder / "config.json")  # as caches of weights have them
    shell = "find -L . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    before = file_sha256(folder)
    assert before == done.stdout.split()[0]
    (folder / "b" / "model-1.safetensors").write_text("another")
    assert file_sha256(folder) != before
