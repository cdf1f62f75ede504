"""What may lie beside weights in a model's folder: what real models have there, and no code."""

from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import available
from inland.adapters.weights.examined import examined
from inland.adapters.weights.formats.window import Refused
from tests.unit.weights import hostile

_LONG_FIRST = b"V" + b"a" * 70_000 + b'\n0cbuiltins\nprint\n(S"it ran"\ntR.'
_NO_COMPANIONS = {
    "config.json": (_LONG_FIRST, "a pickle"),
    "tokenizer.model": (_LONG_FIRST, "a pickle"),
    "more/tokenizer.model": (b"\n\x0e\n\x05" + hostile.zipped("data.pkl", b"x"), "zip archive"),
    "calls.txt": (b"cbuiltins\nprint\n(Vit ran\ntR", "a pickle"),  # torn behind the call
    "fails.txt": (b"cos\nsystem\n(Vtrue\ntRzebra\n", "a pickle"),
    "inst.txt": (b"(Vit ran\nibuiltins\nprint\n", "a pickle"),
    "cut.txt": (b"(Vit ran\nibuiltins\nprintX", "a pickle"),
    "obj.txt": (b"(cbuiltins\nprint\nVit ran\no", "a pickle"),
    "recalled.txt": (b"cbuiltins\nprint\np0\n0(Vit ran\ntp1\n0g0\ng1\nRzebra", "a pickle"),
    "changed.txt": (b"cos\nenviron\nVA\nVB\nszebra", "a pickle"),
    "appended.txt": (b"csys\npath\nV/x\nazebra", "a pickle"),
    "named.txt": (b"cbuiltins\nprint\n.", "a pickle"),
    "modeling_x.PY": (b"import os", "is code"),
    **{
        f"more{suffix}": (b"import os", "named as pickled weights")
        for suffix in (".pth", ".PT", ".bin", ".ckpt", ".pkl")
    },
}


@pytest.mark.parametrize("name", _NO_COMPANIONS)
def test_beside_weights_lies_no_code_in_any_wrapping(name: str, tmp_path: Path) -> None:
    data, why = _NO_COMPANIONS[name]
    (tmp_path / "more").mkdir()
    (tmp_path / "model.safetensors").write_bytes(hostile.safetensors())
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Refused, match=why):
        examined(tmp_path, available())


@pytest.mark.parametrize("name", ["a.txt\n0  b.json", "a\\b.txt", "\x1b[2J.txt", "\udcff.txt"])
def test_a_file_beside_weights_is_named_plainly(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(hostile.safetensors())
    (tmp_path / name).write_bytes(b"text")
    with pytest.raises(Refused, match="in its name") as told:
        examined(tmp_path, available())
    assert str(told.value).isprintable()


_COMPANIONS = {
    "config.json": b"{}",
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "LICENSE": b"MIT License\n\nCopyright\n",
    ".gitattributes": b"*.bin filter=lfs\n",
    "chat_template.jinja": b"{% for one in messages %}{{ one }}{% endfor %}",
    "merges.txt": b"#version: 0.2\ni n\nt h\n\xc4\xa0 t\n",
    "old/merges.txt": b"i n\nt h\nc o\n\xc4\xa0 t\n",
    "vocab.txt": b"[PAD]\n[UNK]\n!\nthe\n",
    "vocab.json": '{"Ġthe": 1}'.encode(),
    "tokenizer.model": b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n\x0c\n\x03<s>\x15\xff",
    "tiktoken/tokenizer.model": b"IQ== 0\nIg== 1\nIw== 2\nJA== 3\n",
    "empty.txt": b"",
    "labels.txt": b"cat\nindigo\ndog\nhorse\n",
    "more/labels.txt": b"cat\r\ncow\r\nparrot\r\nzebra\r\n",
    "colours.txt": b"indigo\nred\n",
    "words.txt": b"cat\nindigo\nreturn\n",
}


def test_what_real_models_have_beside_their_weights_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(hostile.safetensors())
    for name, data in _COMPANIONS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert examined(tmp_path, available())[0].tensors == 1
