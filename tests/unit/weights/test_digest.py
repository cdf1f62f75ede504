"""A folder's hash is what anybody gets from `sha256sum`."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from inland.adapters.weights.digest import file_sha256, sums_sha256
from inland.domain.errors import Damaged


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


def test_no_folder_has_the_hash_of_another_by_a_name_of_several_lines(tmp_path: Path) -> None:
    sums = [(name, hashlib.sha256(name.encode()).hexdigest()) for name in ("a.txt", "b.json")]
    (_, first), (_, second) = sums
    several = [(f"a.txt\n{second}  b.json", first)]
    assert len(sums_sha256(sums, "it")) == 64
    with pytest.raises(Damaged, match=r"holds 'a\.txt\\n"):
        sums_sha256(several, "it")


@pytest.mark.parametrize(
    "name", [b"a\nb", b"a\rb", b"a\\b", b"\x1b[2J", b"\x7f", b"\xff", b"\xc2\x85"]
)
def test_a_name_that_no_line_of_sums_can_hold_is_damage(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model" / "more" / os.fsdecode(name)
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(Damaged, match="in its name") as told:
        file_sha256(tmp_path / "model")
    assert str(told.value).isprintable()


def test_a_name_in_any_script_is_hashed(tmp_path: Path) -> None:
    (tmp_path / "größe 模型.json").write_text("{}")
    assert len(file_sha256(tmp_path)) == 64
