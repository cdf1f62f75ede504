"""The text of a policy set: its files in one text, its digest, and what is wrong with it.

Text in force is kept for ever under its digest, so that a decision can be explained from the rules
that took it. The schema is Inland's own and is no part of the set.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files as package_files
from typing import Any

import cedarpy

from inland.domain.errors import BadInput

SUFFIX = ".cedar"
#: Lies beside the policies to be read; a set that brings it along must not have changed it.
SCHEMA_FILE = "schema.cedarschema"
#: The default file without which nothing is permitted with assets.
ASSETS_FILE = "assets.cedar"
#: And without which no records are destroyed.
RECORDS_FILE = "records.cedar"
MAX_FILES = 64
MAX_TEXT_BYTES = 256 * 1024
#: Texts that are kept parsed: each is asked for its rules, its names and its mistakes.
PARSED = 16

_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}\.cedar\Z")
#: Stands before each file in the joined text; no policy file may hold a line that starts so.
_HEADER = "//// file: "
_MARK = "////"
_RULE_ID = re.compile(r"[A-Za-z0-9\[\]][A-Za-z0-9\[\]:._-]{0,99}\Z")

_PACKAGED = package_files("inland.decide").joinpath("policies")
#: Package data, read as the code is: what `plant` and policies may say.
SCHEMA = _PACKAGED.joinpath("schema.cedarschema").read_text(encoding="utf-8")
PARSED_SCHEMA = cedarpy.Schema.from_str(SCHEMA)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `remedy`: its annotation. Of its scope, None where it does not say: `about`, the
    type of the resource, and `endpoint`, the server that it names."""

    id: str
    effect: str
    remedy: str | None
    about: str | None
    endpoint: str | None


def default_files() -> dict[str, str]:
    """The policies a new factory starts with, by file name."""
    return {
        item.name: item.read_text(encoding="utf-8")
        for item in sorted(_PACKAGED.iterdir(), key=lambda item: item.name)
        if item.name.endswith(SUFFIX)
    }


def without_schema(files: dict[str, str]) -> dict[str, str]:
    """The policy files of a folder that may also hold the schema."""
    return {name: text for name, text in files.items() if name != SCHEMA_FILE}


def join_files(files: dict[str, str]) -> str:
    """The files as one text, from which `split_files` gives them back."""
    return "".join(f"{_HEADER}{name}\n{_ended(text)}" for name, text in sorted(files.items()))


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def split_files(text: str) -> dict[str, str]:
    """The files of a joined text."""
    files: dict[str, str] = {}
    name = None
    for line in text.splitlines(keepends=True):
        if line.startswith(_HEADER):
            name = line[len(_HEADER) :].rstrip("\n")
            files[name] = ""
        elif name is not None:
            files[name] += line
    return files


def policy_digest(text: str) -> str:
    """`sha256:<hex>` over the joined text."""
    return "sha256:" + sha256(text.encode()).hexdigest()


def rules(text: str) -> dict[str, Rule]:
    """The rules of a text by `@id`, nameless ones left out; ValueError if it does not parse."""
    found = {}
    for _, policy in _policies(text):
        annotations = policy.get("annotations") or {}
        if annotations.get("id"):
            rule = Rule(
                annotations["id"],
                policy["effect"],
                annotations.get("remedy"),
                _about(policy["resource"]),
                _named_endpoint(policy["resource"]),
            )
            found[rule.id] = rule
    return found


def rules_about(text: str, kind: str) -> str:
    """Those of a text that can be about a resource of that type, as Cedar's JSON; ValueError as for
    `rules`. The others never match such a question: their scope says so."""
    policies = dict(_policies(text))
    found = {i: one for i, one in policies.items() if _about(one["resource"]) in {None, kind}}
    return json.dumps({"templates": {}, "staticPolicies": found, "templateLinks": []})


def rule_texts(text: str) -> dict[str, str]:
    """Each rule's Cedar text by its `@id`, as Cedar itself writes it; ValueError as for `rules`."""
    texts = {}
    for name, policy in _policies(text):
        rule_id = (policy.get("annotations") or {}).get("id")
        if rule_id:
            one = {"templates": {}, "staticPolicies": {name: policy}, "templateLinks": []}
            texts[rule_id] = cedarpy.policies_from_json_str(json.dumps(one)).strip()
    return texts


def check_policies(files: dict[str, str]) -> list[str]:
    """What is wrong with a policy set, one line each, naming the file; empty: it may be applied."""
    if files.get(SCHEMA_FILE, SCHEMA) != SCHEMA:
        return [f"{SCHEMA_FILE}: the schema is Inland's own and cannot be changed; put it back"]
    files = without_schema(files)
    if not files:
        return ["no *.cedar file: an empty set would deny everything"]
    if len(files) > MAX_FILES:
        return [f"{len(files)} files: at most {MAX_FILES}"]
    try:
        size = sum(len((name + text).encode()) for name, text in files.items())
    except UnicodeEncodeError:
        return ["a file or its name is no text: it holds half of a surrogate pair"]
    if size > MAX_TEXT_BYTES:
        return [f"the files together hold more than {MAX_TEXT_BYTES} bytes"]
    problems = [problem for name in sorted(files) for problem in _check_file(name, files[name])]
    ids = Counter(i for name in sorted(files) for i in _ids(files[name]))
    problems += [f'@id("{i}") stands {n} times: ids are unique' for i, n in ids.items() if n > 1]
    if not problems and "permit" not in {rule.effect for rule in rules(join_files(files)).values()}:
        problems.append("no permit in any file: everything would be denied")
    return problems


def missing_permits(files: dict[str, str]) -> list[str]:
    """What a set that can be applied permits nobody, one line each: sets from before there were
    assets have no rule for them, and what is not permitted is denied."""
    found = rules(join_files(without_schema(files))).values()
    if any(rule.effect == "permit" and rule.about == "Asset" for rule in found):
        return []
    add = f"add {ASSETS_FILE} (inland policy defaults DIR writes it)"
    return [f"no file permits anything with assets, so all of it is denied: {add}"]


def endpoint_name(host: str, port: int) -> str:
    """`host:port` as policies write it: lower case, IPv6 addresses in brackets."""
    bare = host.lower().strip("[]").rstrip(".")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def endpoint_rule(host: str, port: int) -> str:
    """The Cedar rule that lets the factory connect to one server, a private one too.

    Raises BadInput where the host could not stand in a rule.
    """
    name = endpoint_name(host, port)
    if not _RULE_ID.match(name) or not 0 < port < 1 << 16:
        raise BadInput("endpoint", f"{name!r} is no host and port")
    return (
        f'@id("endpoint.{name}")\n'
        'permit (principal == Factory::"factory", action == Action::"connect", '
        f'resource == Endpoint::"{name}");\n'
    )


def _check_file(name: str, text: str) -> Iterator[str]:
    if not _FILE_NAME.match(name):
        yield f"{name!r}: file names are lower case and end in {SUFFIX}"
        return
    if any(line.startswith(_MARK) for line in text.splitlines()):
        yield f"{name}: no line may start with {_MARK}"
    verdict = cedarpy.validate_policies(text, PARSED_SCHEMA)
    names = verdict.id_annotations_by_policy_id
    for error in verdict.errors:
        yield f"{name}: {names.get(error.policy_id, error.policy_id)}: {error.error}"
    if verdict.errors:
        return
    if json.loads(_as_json(text)).get("templates"):
        yield f"{name}: templates are never linked here: write a rule"
    for number, (_, policy) in enumerate(_policies(text), 1):
        rule_id = (policy.get("annotations") or {}).get("id")
        if not rule_id:
            yield f'{name}: rule {number} has no @id("...")'
        elif not _RULE_ID.match(rule_id):
            yield f"{name}: @id({rule_id!r}): use letters, digits, '.', ':', '_' and '-'"


def _ids(text: str) -> list[str]:
    try:
        return [
            policy["annotations"]["id"]
            for _, policy in _policies(text)
            if (policy.get("annotations") or {}).get("id")
        ]
    except ValueError:
        return []


def _policies(text: str) -> list[tuple[str, dict[str, Any]]]:
    parsed = json.loads(_as_json(text))
    return sorted(parsed["staticPolicies"].items(), key=lambda item: int(item[0][len("policy") :]))


@lru_cache(PARSED)
def _as_json(text: str) -> str:
    """The text as Cedar's JSON; ValueError where it does not parse."""
    return str(cedarpy.policies_to_json_str(text))


def _about(scope: dict[str, Any]) -> str | None:
    """The type in `resource is T` or `resource == T::"id"`."""
    if scope["op"] == "is":
        return str(scope["entity_type"])
    return str(scope["entity"]["type"]) if scope["op"] == "==" and "entity" in scope else None


def _named_endpoint(scope: dict[str, Any]) -> str | None:
    if scope.get("op") == "==" and _about(scope) == "Endpoint":
        return str(scope["entity"]["id"])
    return None
