#!/usr/bin/env python3
"""Check an Inland receipt offline: this file, Python 3.11 and `cryptography`, nothing of Inland.

With --signer, the proof of a release, or that a run was refused: who signed what, and that the
log has each step of it.
It exits 0 and says what was proved, or 1 and why not. docs/formats.md specifies both formats.
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
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MAX_BYTES, MAX_DEPTH, MAX_INT, MAX_LINES = 4 << 20, 19, 2**53 - 1, 200_000
IN_TOTO = "application/vnd.in-toto+json"
RELEASE, REFUSAL = "inland-release/1", "inland-refusal/1"
BUILDS = {RELEASE: "https://inland.dev/line/v1", REFUSAL: "https://inland.dev/refusal/v1"}
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


def open_receipt(data: bytes, vkey: str, kept: Any) -> tuple[dict[str, Any], Any]:
    """The record that a receipt proves, and the checkpoint it is under, which `kept` grew into."""
    need(len(data) <= MAX_BYTES, f"a receipt has at most {MAX_BYTES} bytes")
    check_plain(receipt := json.loads(data.decode()))
    need(canonical(receipt) == data, "the receipt is not in canonical form")
    form, chain, note, growth = fields(receipt, "format", "chain", "checkpoint", "consistency")
    need(form == "inland-receipt/1" and isinstance(note, str), "the receipt's format is unknown")
    size, root, origin = open_checkpoint(note, vkey)
    record = check_chain(chain, size, root.hex())
    check_growth(growth, size, root, kept)
    return record, (size, root, origin)


def verify(args: argparse.Namespace) -> dict[str, Any]:
    """What the receipt proves and what of it was compared. Raises ValueError or OSError."""
    data, vkey = args.file.read_bytes(), args.vkey.read_text()
    kept = open_checkpoint(args.kept.read_bytes().decode(), vkey) if args.kept else None
    record, (size, root, origin) = open_receipt(data, vkey, kept)
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


def digest(value: Any) -> str:
    """A digest of a statement as records write it."""
    ((name, text),) = value["digest"].items()
    return "" if (name, text) == ("unknown", "unknown") else f"{name}:{text}"


def open_statement(envelope: Any, pem: bytes, build: str) -> tuple[dict[str, Any], str]:
    """What a DSSE envelope says that the key signed, and its SHA-256."""
    payload, kind, signatures = fields(envelope, "payload", "payloadType", "signatures")
    need(kind == IN_TOTO and len(signatures) == 1, "no in-toto statement with one signature")
    body = base64.b64decode(payload, validate=True)
    (sig,) = fields(signatures[0], "sig")
    signature = base64.b64decode(sig, validate=True)
    key = load_pem_public_key(pem)
    good = isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    need(good, "the signer's key is not ECDSA P-256")
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)
    try:
        key.verify(signature, signed, ECDSA(SHA256()))  # type: ignore[union-attr, call-arg, arg-type]
    except InvalidSignature:
        raise ValueError("the statement's signature is wrong, or another key's") from None
    check_plain(said := json.loads(body.decode()))
    need(canonical(said) == body, "the statement is not in canonical form")
    built = said["predicate"]["buildDefinition"]["buildType"]
    need(built == build and len(said["subject"]) == 1, f"the statement is not built as {build}")
    return said, sha256(body).hex()


def newest(changes: list[Any], what: str, subject: str | None, **details: Any) -> dict[str, Any]:
    """The last change of a kind about a subject, with these details."""
    named = [one for one in changes if one["what"] == what and subject in (None, one["subject"])]
    found = [one for one in named if all(one["details"].get(n) == v for n, v in details.items())]
    need(found, f"the proof has no {what} of {subject or details}")
    return dict(max(found, key=lambda one: one["time"]))


def check_steps(
    run: str, tenant: str, steps: Any, changes: list[Any], requests: dict[str, Any], refused: str
) -> dict[str, tuple[Any, Any, Any]]:
    """Of each step what went in, what came out and what the log says of its end."""
    known, named = {}, set[str]()
    for kind, step in steps.items():
        inputs, outputs, receipts = fields(step, "inputs", "outputs", "receipts")
        state = "refused" if kind == refused else "done"
        end = newest(changes, "step.end", kind, run=run, state=state, tenant=tenant)["details"]
        for name, text in (("inputs", inputs), ("outputs", outputs)):
            is_its = sha256(text.encode()).hex()
            need(is_its == end[name], f"the {name} of {kind} are not those in the log")
        same = [len(receipts), sha256(canonical(receipts)).hex()]
        need(same == [end["receipts"], end["receipts_sha256"]], f"other receipts than {kind} had")
        need({*receipts} <= {*requests}, f"a request of {kind} is not in the proof")
        named.update(receipts)
        known[kind] = (json.loads(inputs), json.loads(outputs), end)
    need(named == {*requests}, "the proof has requests that no step made")
    whose = {one["tenant"] for one in requests.values()}
    need(whose <= {tenant}, "a request is another tenant's")
    return known


def check_told(said: Any, known: dict[str, tuple[Any, Any, Any]]) -> dict[str, float]:
    """What was signed of scores and parameters is what the steps say, as far as it was printed."""
    points, shown = dict[str, float](), said["internalParameters"]["scores"]
    for kind, before in (("baseline", "serving "), ("evaluate", "")):
        scores = known[kind][1].get("scores", {}) if kind in known else {}
        points |= {f"{before}{suite}": one["point"] for suite, one in scores.items()}
    for name, text in shown.items():
        (number, digits), *_ = re.findall(r"(\d+(?:\.(\d+))?)", text) or [("", "")]
        near = number and name in points and f"{points[name]:.{len(digits)}f}" == number
        need(near, f"the statement's score of {name} is not the one that was measured")
    asked = {name for name in points if not name.startswith("serving ")}
    need(asked <= {*shown}, "the statement leaves a score out")
    given, made, _ = known.get("train", ({}, {}, None))
    method = given.get("method") or {}
    method |= {f"trained.{name}": value for name, value in made.items()}
    for name, text in said["externalParameters"].items():
        need(text == str(method.get(name, text)), f"the statement's {name} is not the training's")
    return points


def check_trained(
    run: str, facts: Any, used: Any, known: Any, begun: Any, changes: list[Any]
) -> None:
    """The adapter was made by this run, or one whose step it took over, of its base and data."""
    given, made, trained = known["train"]
    same = [given["base"], given["train"]] == [facts["base_digest"], used["train"]]
    need(same, "it was trained on another base, or other data")
    adapter = newest(changes, "asset.add", facts["adapter"])["details"]
    need(f"hmac-sha256:{adapter['digest']}" == facts["adapter_digest"], "the adapter is another")
    made_by = adapter["run"] in (run, trained["reused"]) and made["adapter"] == facts["adapter"]
    need(made_by and {*begun["train"]} <= {*adapter["parents"]}, "the run made another adapter")


def check_line(
    run: str,
    said: Any,
    facts: Any,
    steps: Any,
    changes: list[Any],
    requests: dict[str, Any],
    refused: str = "",
) -> dict[str, Any]:
    """The run of a line: its data, its steps in a row up to the one that `refused` it, where one
    did, its requests."""
    begun = newest([one for one in changes if one["id"] == run], "run.begin", None)["details"]
    need(begun["tenant"] == facts["tenant"], "the run is another tenant's")
    used = {
        name: [newest(changes, "asset.add", one)["details"]["digest"] for one in begun[name]]
        for name in ("train", "holdout", "suites")
    }
    data = {digest(one).split(":")[-1] for one in said["resolvedDependencies"][1:]}
    there = {*used["train"], *used["holdout"], *used["suites"]}
    need({*used["train"]} <= data <= there, "the data of the statement are not the run's")
    known = check_steps(run, facts["tenant"], steps, changes, requests, refused)
    needed = {refused} if refused else {"train", "evaluate", "gate"}
    need(needed <= known.keys(), "a step is not in the proof")
    made = known["train"][1] if "train" in known else {}
    if facts["adapter"] is not None:
        check_trained(run, facts, used, known, begun, changes)
    bases = {one[0]["base"] for one in known.values() if "base" in one[0]}
    need(bases <= {facts["base_digest"]}, "a step was taken on another base")
    if "evaluate" in known:
        asked = known["evaluate"][0]
        need(asked["candidate"] == made.get("digest"), "another candidate was evaluated")
        for ref in steps["evaluate"]["receipts"]:
            by = [requests[ref][name] for name in ("adapter_digest", "model_digest")]
            wanted = [facts["adapter_digest"], facts["base_digest"]]
            need(by == wanted, "the candidate's answers are not by its adapter")
    if "gate" in known:
        judged, verdict, _ = known["gate"]
        before = known["baseline"][2]["outputs"] if "baseline" in known else None
        scored = known["evaluate"][2]["outputs"]
        need([judged["scores"], judged["baseline"]] == [scored, before], "the gate judged others")
        passed = verdict["passed"] is (refused != "gate")
        need(passed, "the gate let it pass" if refused else "the gate did not pass it")
        told = said["internalParameters"]["gate"].partition(":")[0]
        need(told == ("passed" if verdict["passed"] else "refused"), "the gate said otherwise")
    points = check_told(said, known)
    return {"line": True, "scores": points, "requests": len(requests), "steps": [*known]}


def check_release(
    said: Any, statement: str, steps: Any, changes: list[Any], requests: dict[str, Any]
) -> dict[str, Any]:
    """That the log has what was signed of a release, and each step of its making."""
    build, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    (approval,) = (one["annotations"] for one in details["byproducts"])
    approve = newest(changes, "release.approve", approval["release"])
    propose = newest(changes, "release.propose", approval["release"])
    facts = approve["details"]
    need(facts["statement"] == statement, "the log has another statement of this release")
    who = [approve["who"], propose["who"]] == [approval["approved_by"], approval["proposed_by"]]
    need(who, "others proposed or approved it than the statement says")
    (subject,), base = said["subject"], build["resolvedDependencies"][0]
    told = [
        subject["name"],
        digest(subject),
        digest(base),
        build["internalParameters"]["deployment"],
    ]
    for one in (facts, propose["details"]):
        its = [f"{one['tenant']}/{one['name']}", one["adapter_digest"], one["base_digest"]]
        need(
            told == [*its, one["deployment"]], "the statement is of another release than the log's"
        )
    shown = {"release": approval["release"], "model": subject["name"], "statement": statement}
    run = details["metadata"]["invocationId"]
    if run == approval["release"] and approval["proposed_by"] != f"run {run}":
        need(not steps and not requests, "it was made by no run, and the proof has steps")
        return {**shown, "line": False, "approved_by": approve["who"]}
    more = check_line(run, build, facts, steps, changes, requests)
    return {**shown, "run": run, **more, "approved_by": approve["who"]}


def check_refusal(
    said: Any, statement: str, steps: Any, changes: list[Any], requests: dict[str, Any]
) -> dict[str, Any]:
    """That the log has a run that was refused, as it was signed, and each step up to that."""
    build, details = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    (refusal,) = (one["annotations"] for one in details["byproducts"])
    run, end = refusal["run"], newest(changes, "run.end", refusal["run"])["details"]
    need(end["state"] == "refused", "the log does not say that the run was refused")
    need(end["statement"] == statement, "the log has another statement of this run")
    same = [run, end["line"], end["why"]]
    its = [details["metadata"]["invocationId"], refusal["line"], refusal["why"]]
    need(same == its, "the statement is of another run than the log's, or says otherwise why")
    (subject,), base = said["subject"], digest(build["resolvedDependencies"][0])
    need(subject["name"].partition("/")[0] == end["tenant"], "the statement is another tenant's")
    adapter = json.loads(steps.get("train", {}).get("outputs", "{}")).get("adapter")
    is_base = adapter is None and digest(subject) == base
    need(adapter is not None or is_base, "nothing was trained, and the statement is of an adapter")
    trained = None if adapter is None else digest(subject)
    facts = {"tenant": end["tenant"], "base_digest": base}
    facts |= {"adapter": adapter, "adapter_digest": trained}
    more = check_line(run, build, facts, steps, changes, requests, refusal["step"])
    why = {"refused_by": refusal["step"], "why": end["why"]}
    return {"run": run, "model": subject["name"], "statement": statement, **why, **more}


def verify_signed(args: argparse.Namespace) -> dict[str, Any]:
    """What the proof of a release, or of a refusal, shows. Raises ValueError or OSError."""
    lines = args.file.read_bytes().removesuffix(b"\n").split(b"\n", MAX_LINES)
    check_plain(head := json.loads(lines[0].decode()))
    need(canonical(head) == lines[0], "the proof is not in canonical form")
    form, envelope, steps = fields(head, "format", "envelope", "steps")
    need(form in BUILDS, "the proof's format is unknown")
    said, statement = open_statement(envelope, args.signer.read_bytes(), BUILDS[form])
    keys = {vkey.partition("+")[0]: vkey for vkey in args.vkey.read_text().split("\n")}
    logs, changes, requests = dict[str, Any](), [], dict[str, Any]()
    for line in lines[1:]:
        origin = json.loads(line)["checkpoint"].partition("\n")[0]
        need(origin in keys, f"it is of the log {origin}, whose key is not given")
        record, checkpoint = open_receipt(line, keys[origin], logs.get(origin))
        logs.setdefault(origin, checkpoint)
        need(record["kind"] in ("change", "request"), "the proof has a record of another kind")
        if record["kind"] == "change":
            changes.append(record)
        else:
            requests[record["id"]] = record
    check = check_release if form == RELEASE else check_refusal
    return {**check(said, statement, steps, changes, requests), "receipts": len(lines) - 1}


def main() -> int:
    option = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    option("file", type=Path)
    option("--vkey", type=Path, required=True, help="file with the log's public key")
    option("--entry", help="the inland-entry that came with the answer")
    option("--key", help="the record's key, 64 hex digits, or a file that holds it")
    option("--input", type=Path, help="the request's body exactly as it was sent")
    option("--output", type=Path, action="append", default=[], help="an answer's text, by choice")
    option("--kept", type=Path, help="a checkpoint kept from earlier")
    option(
        "--signer",
        type=Path,
        help="the key for models (PEM): FILE is a proof of a release or a refusal",
    )
    option("--json", action="store_true")
    args = parser.parse_args()
    try:
        proved = verify_signed(args) if args.signer else verify(args)
    except (ValueError, OSError, RecursionError, InvalidSignature) as error:
        print("REFUSED:", ascii(str(error) or "the checkpoint's signature is wrong")[1:-1])
        return 1
    except (LookupError, TypeError, AttributeError) as error:
        print("REFUSED: it is not of the form that it must have:", ascii(str(error)))
        return 1
    facts = "\n".join(f"  {name:17} {value!a}" for name, value in proved.items())
    what = "this release and each step of its making" if args.signer else "this record"
    what = "that this run was refused, and each step of it" if "refused_by" in proved else what
    print(json.dumps(proved) if args.json else f"PROVED: the log holds {what}\n{facts}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
