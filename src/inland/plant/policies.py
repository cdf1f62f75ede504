"""Policy sets: checked whole, put in force whole, kept for ever under their digest."""

from inland.decide.entities import url_endpoint
from inland.decide.policy_set import (
    check_policies,
    default_files,
    endpoint_rule,
    join_files,
    policy_digest,
    rules,
    split_files,
    without_schema,
)
from inland.domain.errors import BadInput
from inland.domain.plant import Deployment
from inland.plant.changes import Change, Changes
from inland.ports.policies import PolicyFolder
from inland.ports.state import StateTables

#: Holds the rules that name single servers; made and added to by `permit_endpoint`.
ENDPOINTS_FILE = "endpoints.cedar"
#: Problems told at once; the rest are counted.
_MAX_TOLD = 10


class Policies:
    """The policy set of one factory, and the folder people read it in."""

    def __init__(self, changes: Changes, folder: PolicyFolder) -> None:
        self._changes = changes
        self._folder = folder

    def load_first(self) -> None:
        """Before the first policy set is in force: take the folder's, or else the defaults.

        Raises BadInput where the folder's cannot be used.
        """
        with self._changes.store.read() as transaction:
            if transaction.state.current_policy() is not None:
                return
        files = without_schema(self._folder.read())
        text = join_files(_checked(files or default_files()))
        with self._changes.change("factory") as change:
            put_policy(change, text)  # nothing was permitted before: there is nothing to wait for
        if not files:
            self._folder.write(default_files(), remove_others=False)

    def apply(self, who: str, files: dict[str, str]) -> str:
        """Put a set in force, whole; returns its digest when every gateway decides by it.

        Raises BadInput with what is wrong, and then nothing has changed.
        """
        files = _checked(files)
        digest = self._put(who, files)
        self._folder.write(files, remove_others=True)
        return digest

    def in_force(self) -> tuple[str, dict[str, str]]:
        """Digest and files of the set in force; empty before the first."""
        with self._changes.store.read() as transaction:
            digest, text = transaction.state.current_policy() or ("", "")
        return digest, split_files(text)

    def drift(self) -> list[str]:
        """Files in the folder that differ from what is in force: edited, missing or added."""
        _, current = self.in_force()
        there = split_files(join_files(without_schema(self._folder.read())))
        return sorted(n for n in current.keys() | there.keys() if current.get(n) != there.get(n))

    def _put(self, who: str, files: dict[str, str]) -> str:
        text = join_files(_checked(files))
        digest = policy_digest(text)
        with self._changes.store.read() as transaction:
            current = transaction.state.current_policy()
        if current is not None and current[0] == digest:
            self._changes.wait_current()
            return digest
        with self._changes.change(who) as change:
            put_policy(change, text)
        self._changes.wait_in_force(change.version)
        return digest


def put_policy(change: Change, text: str) -> None:
    """Put a checked text in force and book it."""
    digest = policy_digest(text)
    change.state.set_policy(digest, text)
    change.book("policy.apply", digest, rules=sorted(rules(text)))


def permit_endpoint(change: Change, deployment: Deployment) -> dict[str, str]:
    """As `permit_url`, for a deployment's server. Raises BadInput where it has none."""
    if not deployment.url:
        raise BadInput("permit-endpoint", "only a deployment with a URL has an endpoint")
    return permit_url(change, deployment.url)


def permit_url(change: Change, url: str) -> dict[str, str]:
    """Add the rule that names a server; the file it went into, empty if it was there.

    Raises BadInput where the URL names none.
    """
    endpoint = url_endpoint(url)
    if endpoint is None:
        raise BadInput("permit-endpoint", f"{url} has no host and port")
    files = current_files(change.state)
    rule = endpoint_rule(*endpoint)
    if set(rules(rule)) <= set(rules(join_files(files))):
        return {}
    files[ENDPOINTS_FILE] = files.get(ENDPOINTS_FILE, "") + rule
    put_policy(change, join_files(_checked(files)))
    return {ENDPOINTS_FILE: files[ENDPOINTS_FILE]}


def current_files(state: StateTables) -> dict[str, str]:
    """The files of the set in force."""
    _, text = state.current_policy() or ("", "")
    return split_files(text)


def _checked(files: dict[str, str]) -> dict[str, str]:
    problems = check_policies(files)
    if problems:
        more = f"; and {len(problems) - _MAX_TOLD} more" if len(problems) > _MAX_TOLD else ""
        raise BadInput("policies", "; ".join(problems[:_MAX_TOLD]) + more)
    return without_schema(files)
