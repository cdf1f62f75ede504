#!/usr/bin/env python3
"""Check an Inland receipt offline: this file, Python 3.11 and `cryptography`, nothing of Inland.

It exits 0 and says what was proved, or 1 and why not. docs/formats.md specifies the format.
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_BYTES, MAX_DEPTH, MAX_INT = 4 << 20, 19, 2**53 - 1
CHILDREN = {"": "batch change", "batch": "tenant-batch", "tenant-batch": "request refusal"}
SHOWN = "kind tenant id model deployment prompt_tokens completion_tokens outcome what subject"


def need(holds: object, why: str) -> None:
    if not holds:
        raise ValueError(why)


def unhex(value: Any) -> bytes:
    need(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value), "not 64 hex digits")
    return bytes.fromhex(value)


def is_count(*values: Any) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def fields(value: Any, *names: str) -> list[Any]:
    need(isinstance(value, dict) and value.keys() == {*names}, f"not exactly the fields {names}")
    need(isinstance(value.get("hashes", []), list), "hashes are not a list")
    return [value[name] for name in names]


def check_plain(value: Any, depth: int = 1) -> None:
    """Demand that a value has one way of being written: no floats, ASCII keys, 53-bit integers."""
    if isinstance(value, dict | list):
        need(depth <= MAX_DEPTH, "nested too deep")
        need(isinstance(value, list) or all(map(str.isascii, value)), "a key is not ASCII")
        for each in value if isinstance(value, list) else value.values():
            check_plain(each, depth + 1)
    elif not isinstance(value, str | None):
        need(isinstance(value, int) and abs(value) <= MAX_INT, "a number is not a 53-bit integer")


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def climb(place: int, last: int, seed: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """The roots a proof leads to from node `seed` at `place` of `last` (RFC 9162, 2.1.3-4)."""
    old = new = seed
    for side in path:
        need(last, "a proof is too long")
        if place & 1 or place == last:
            old, new = sha256(b"\x01", side, old), sha256(b"\x01", side, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = sha256(b"\x01", new, side)
        place, last = place >> 1, last >> 1
    need(not last, "a proof is too short")
    return old, new


def open_checkpoint(note: str, vkey: str) -> tuple[int, bytes, str]:
    """(size, root, origin) of a note with exactly one signature, by the key."""
    parts, lines = vkey.removesuffix("\n").split("+", 2), note.split("\n")
    need(len(parts) == 3 and len(lines) == 6, "no key, or no checkpoint with one signature")
    need(parts[0] == lines[0], f"it is of the log {lines[0]}, the key is {parts[0]}'s: use its own")
    name, raw = parts[0], base64.b64decode(parts[2])
    key_id = sha256(name.encode(), b"\n", raw)[:4]
    same = parts[1:] == [key_id.hex(), base64.b64encode(raw).decode()]
    good = same and raw[0] == 1 and len(raw) == 33 and re.fullmatch("[!-*,-~]{1,255}", name)
    need(good, "the key is not Ed25519, or its name or id is wrong")
    size, root = int(lines[1]), base64.b64decode(lines[2])
    signature = base64.b64decode(lines[4].split(" ")[-1])[4:]
    body = f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"
    exact = f"{body}\n— {name} {base64.b64encode(key_id + signature).decode()}\n"
    need(note == exact, "the checkpoint is another key's, or not written as it must be")
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, body.encode())
    return size, root, name


def check_chain(chain: Any, size: Any, root: Any) -> dict[str, Any]:
    """The first record; from the log down, each must lie in the tree that the one above states."""
    need(isinstance(chain, list) and chain, "there is no chain")
    kind, record = "", dict[str, Any]()
    for link in reversed(chain):
        above, (record, proof) = record, fields(link, "record", "proof")
        whole = isinstance(record, dict) and is_count(record.get("v"), record.get("time"))
        known = whole and record["v"] == 1 and record.get("kind") in CHILDREN.get(kind, "").split()
        need(known, "a record's version is unknown, or its kind does not belong where it is")
        kind = record["kind"]
        for name in {"change": [], "batch": ["writer"]}.get(kind, ["writer", "tenant"]):
            value = record.get(name)
            same = isinstance(value, str) and above.get(name, value) == value
            need(same, f"the {kind} has no {name}, or another than the record above it")
        index, width, hashes = fields(proof, "index", "size", "hashes")
        fits = is_count(index, width, size) and index < width == size
        need(fits, f"the {kind}'s index or size does not fit its tree")
        leaf = sha256(b"\x00", sha256(canonical(record)))
        proved = climb(index, size - 1, leaf, [unhex(each) for each in hashes])[1].hex() == root
        need(proved, f"the {kind} is not in the tree its proof names")
        size, root = record.get("count"), record.get("root")
    return record


def check_growth(proof: Any, size: int, root: bytes, kept: tuple[int, bytes, str] | None) -> None:
    """The log only grew since the size its consistency proof starts at, and since the kept one."""
    old = (size, root)
    if proof is not None:
        start, start_root, hashes = fields(proof, "from_size", "from_root", "hashes")
        need(is_count(start) and 0 < start <= size, "the consistency proof starts nowhere")
        old, path = (start, unhex(start_root)), [unhex(each) for each in hashes]
        shift = (start & -start).bit_length() - 1 if start < size else size.bit_length()
        path = [old[1], *path] if start in (size, 1 << shift) else path
        need(path, "the consistency proof is too short")
        roots = climb((start - 1) >> shift, (size - 1) >> shift, path[0], path[1:])
        need(roots == (old[1], root), "the consistency proof does not lead to the checkpoint")
    if kept is not None:
        need(kept[0] <= size, "the kept checkpoint is newer than the receipt's: get it again")
        old = {0: (0, sha256()), size: (size, root)}.get(kept[0], old)
        need(old[0] == kept[0], f"there is no proof from the kept checkpoint, size {kept[0]}")
        need(old[1] == kept[1], "the log no longer begins with what the kept checkpoint signed")


def check_texts(args: argparse.Namespace, record: dict[str, Any]) -> None:
    need(bool(args.key) == bool(args.input or args.output), "--key goes with --input or --output")
    if args.key:
        held = Path(args.key).read_text() if Path(args.key).is_file() else args.key
        whats = [b"output\0%d\0" % at + each.read_bytes() for at, each in enumerate(args.output)]
        whats += [b"input\0" + args.input.read_bytes()] if args.input else []
        macs = [hmac.digest(unhex(held.strip()), what, "sha256").hex() for what in whats]
        need(not args.input or macs.pop() == record.get("input"), "the input is another")
        need(not args.output or macs == record.get("output"), "the outputs are others, or not all")


def verify(args: argparse.Namespace) -> dict[str, Any]:
    """What the receipt proves and what of it was compared. Raises ValueError or OSError."""
    data, vkey = args.file.read_bytes(), args.vkey.read_text()
    need(len(data) <= MAX_BYTES, f"a receipt has at most {MAX_BYTES} bytes")
    check_plain(receipt := json.loads(data.decode()))
    need(canonical(receipt) == data, "the receipt is not in canonical form")
    form, chain, note, growth = fields(receipt, "format", "chain", "checkpoint", "consistency")
    need(form == "inland-receipt/1" and isinstance(note, str), "the receipt's format is unknown")
    size, root, origin = open_checkpoint(note, vkey)
    record = check_chain(chain, size, root.hex())
    kept = open_checkpoint(args.kept.read_bytes().decode(), vkey) if args.kept else None
    check_growth(growth, size, root, kept)
    entry = sha256(canonical(record)).hex()
    need(args.entry in (None, entry), f"the entry is another record's; this one's is {entry}")
    check_texts(args, record)
    at = datetime.fromtimestamp(record["time"] // 10**6, UTC).isoformat(" ")
    log = {"log": origin, "size": size, "root": root.hex(), "entry": entry, "recorded": at}
    says = {name: record[name] for name in SHOWN.split() if name in record}
    if [*map(record.get, ("kind", "what", "subject"))] == ["change", "log.rotate", origin]:
        says["successor"] = record.get("details")  # the public key of the log after this one
    compared = [name for name in ("entry", "input", "output", "kept") if getattr(args, name)]
    return {**log, **says, "compared": compared}


def main() -> int:
    option = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    option("file", type=Path)
    option("--vkey", type=Path, required=True, help="file with the log's public key")
    option("--entry", help="the inland-entry that came with the answer")
    option("--key", help="the record's key, 64 hex digits, or a file that holds it")
    option("--input", type=Path, help="the request's body exactly as it was sent")
    option("--output", type=Path, action="append", default=[], help="an answer's text, by choice")
    option("--kept", type=Path, help="a checkpoint kept from earlier")
    option("--json", action="store_true")
    args = parser.parse_args()
    try:
        proved = verify(args)
    except (ValueError, OSError, RecursionError, InvalidSignature) as error:
        print("REFUSED:", ascii(str(error) or "the checkpoint's signature is wrong")[1:-1])
        return 1
    facts = "\n".join(f"  {name:17} {value!a}" for name, value in proved.items())
    print(json.dumps(proved) if args.json else f"PROVED: the log holds this record\n{facts}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
