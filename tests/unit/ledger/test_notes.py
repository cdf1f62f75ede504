"""Notes and checkpoints: published vectors, and one way only to write each."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.ledger import merkle, notes
from inland.ledger.canonical import Malformed
from tests.unit.ledger import example

#: The example in the documentation of Go's golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
#: The public key of Go's checksum database, as every Go installation carries it.
SUM_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

NOTE = example.checkpoint(example.site().log)


def test_the_published_go_note_opens():
    assert notes.open_text(GO_NOTE, GO_VKEY) == GO_TEXT


@pytest.mark.parametrize("vkey", [GO_VKEY, SUM_VKEY])
def test_published_keys_have_the_ids_they_say(vkey):
    parsed = notes.parse_vkey(vkey)
    assert notes.vkey(parsed.name, parsed.public_key) == vkey


def test_a_checkpoint_opens_to_what_was_signed():
    checkpoint = notes.open_note(NOTE, example.VKEY)
    assert (checkpoint.origin, checkpoint.size) == (example.ORIGIN, example.LOG_SIZE)
    assert notes.checkpoint_body(example.ORIGIN, example.LOG_SIZE, checkpoint.root) == (
        notes.open_text(NOTE, example.VKEY).encode()
    )


def test_a_flipped_bit_anywhere_in_a_checkpoint_is_refused():
    data = bytearray(NOTE.encode())
    for at in range(len(data)):
        for bit in range(8):
            data[at] ^= 1 << bit
            with pytest.raises((Malformed, UnicodeDecodeError)):
                notes.open_note(data.decode(), example.VKEY)
            data[at] ^= 1 << bit


BODY, _, SIGNATURE = NOTE.partition("\n\n")


@pytest.mark.parametrize(
    "note",
    {
        "nothing": "",
        "no signature": BODY + "\n\n",
        "no blank line": NOTE.replace("\n\n", "\n"),
        "no last newline": NOTE[:-1],
        "a line behind": NOTE + "\n",
        "two signatures": NOTE + SIGNATURE,
        "a hyphen for the dash": NOTE.replace("\u2014", "-"),
        "a carriage return": NOTE.replace("\n", "\r\n"),
        "a space behind the name": NOTE.replace("\u2014 ", "\u2014  "),
        "loose bits in the signature": NOTE[:-4] + example.loosened(NOTE[-4:-1]) + "\n",
        "a signature cut short": NOTE.replace(SIGNATURE, SIGNATURE[:-9] + "\n"),
        "too long": "x" * notes.MAX_NOTE_CHARS + NOTE,
        "a lone surrogate": "\ud800" + NOTE,
    }.items(),
    ids=lambda item: item[0],
)
def test_a_note_written_in_another_way_is_refused(note):
    with pytest.raises(Malformed):
        notes.open_note(note[1], example.VKEY)


ROOT64 = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{example.ORIGIN}\n1\n",
        f"{example.ORIGIN}\n1\n{ROOT64}\nextension\n",
        f"{example.ORIGIN}\n1\n{ROOT64}\n\n",
        f"other\n1\n{ROOT64}\n",
        f"{example.ORIGIN}\n01\n{ROOT64}\n",
        f"{example.ORIGIN}\n-1\n{ROOT64}\n",
        f"{example.ORIGIN}\n \n{ROOT64}\n",
        f"{example.ORIGIN}\n\u0661\n{ROOT64}\n",
        f"{example.ORIGIN}\n{1 << 53}\n{ROOT64}\n",
        f"{example.ORIGIN}\n0\n{ROOT64}\n",
        f"{example.ORIGIN}\n1\n{example.loosened(ROOT64)}\n",
        f"{example.ORIGIN}\n1\nAAAA\n",
        f"{example.ORIGIN}\n1\n\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text):
    note = example.signed(text)
    assert notes.open_text(note, example.VKEY) == text
    with pytest.raises(Malformed):
        notes.open_note(note, example.VKEY)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "a+b",
        example.VKEY.upper(),
        example.VKEY + "=",
        example.VKEY + "\n\n",
        example.VKEY.replace("+A", "+B"),  # another algorithm
        " " + example.VKEY,
        re.sub(r"\+[0-9a-f]{8}\+", "+00000000+", example.VKEY),
    ],
)
def test_a_key_in_another_form_is_refused(vkey):
    with pytest.raises(Malformed):
        notes.parse_vkey(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "\u00e5", "a" * 256, "a\u2003b"])
def test_names_that_cannot_stand_in_a_note(name):
    assert not notes.is_key_name(name)


@given(st.integers(0, (1 << 53) - 1), st.binary(min_size=32, max_size=32))
def test_what_is_signed_opens_the_same(size, root):
    if size == 0:
        root = merkle.EMPTY_ROOT
    note = example.signed(notes.checkpoint_body(example.ORIGIN, size, root).decode())
    assert notes.open_note(note, example.VKEY) == notes.Checkpoint(example.ORIGIN, size, root)


@pytest.mark.parametrize("text", ["a\tb\n", "a\x1b[2Jb\n", "a\r\n", "\0\n"])
def test_a_signed_text_with_control_characters_is_refused(text):
    with pytest.raises(Malformed):
        notes.open_text(example.signed(text), example.VKEY)
