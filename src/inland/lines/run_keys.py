"""The API key that runs of a line act with: of the line's tenant, for what the line was about alone
when the run began (its base, what it releases, and the run's own candidate), and never for longer
than an hour. Its secret is in memory only; a new life of control gives it another.
"""

import base64
from collections.abc import Collection
from dataclasses import dataclass, replace
from threading import Lock

from inland.decide.lines.line_file import line_of
from inland.domain.api_keys import ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, new_api_key
from inland.domain.errors import Conflict
from inland.domain.lines import Line, Run, RunState
from inland.domain.plant import Key, Role
from inland.domain.releases import candidate_name
from inland.lines.lines import kept_line
from inland.plant.changes import Change, Changes
from inland.plant.tenants import refuse_beyond

#: How long a key lasts, and how much of that must be left of one that is handed out, in seconds.
LASTS_S, LEFT_S = 3600, 1200


@dataclass(frozen=True, slots=True)
class _Held:
    run: str
    id: str
    text: str
    until_unix_s: int


class RunKeys:
    """The keys of runs under way. Threads may share it."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: keys in the factory."""
        self._changes = changes
        self._most = most
        self._lock = Lock()
        self._held: dict[tuple[str, str], _Held] = {}

    def text(self, run: str, tenant: str, line: str) -> str:
        """A key that every gateway takes by now, which `run` acts with. Raises Conflict where
        somebody revoked it, or the run is over."""
        return self._of(run, tenant, line).text

    def id(self, run: str, tenant: str, line: str) -> str:
        """The id of that key."""
        return self._of(run, tenant, line).id

    def _of(self, run: str, tenant: str, line: str) -> _Held:
        with self._lock:
            held = self._held.get((tenant, line))
            now_s = self._changes.clock.unix_us() // 1_000_000
            if held is None or held.run != run or held.until_unix_s - now_s < LEFT_S:
                held = self._renewed(run, tenant, line, now_s)
                self._held[tenant, line] = held
            return held

    def end(self, run: str, tenant: str, line: str) -> None:
        """The line's key opens nothing any more, until it is renewed."""
        with self._lock:
            held = self._held.get((tenant, line))
            if held is None or held.run != run:
                return
            del self._held[tenant, line]
            with self._changes.change(f"run {run}") as change:
                key = change.state.key(held.id)
                if key is not None and not key.revoked:
                    ended = replace(key, expires_unix_s=change.unix_s)
                    change.state.put_key(ended)
                    change.book("key.end", key.id, tenant=tenant, line=line, run=run)

    def holds(self) -> bool:
        """Whether any run has a key."""
        return bool(self._held)

    def end_others(self, runs: Collection[str]) -> None:
        """As `end`, of all runs but these."""
        if not self._lock.acquire(blocking=False):
            return  # one is being made, which takes its time: the next look ends others
        try:
            over = [(one.run, *whose) for whose, one in self._held.items() if one.run not in runs]
        finally:
            self._lock.release()
        for one in over:
            self.end(*one)

    def _renewed(self, run: str, tenant: str, line: str, now_s: int) -> _Held:
        entropy = self._changes.entropy
        with self._changes.change(f"run {run}") as change:
            began = _going(change, run)
            kept = kept_line(change.lines, tenant, line)
            known = _known(change, kept.key)
            first = base64.b32decode(kept.key.upper()) if known else entropy(ID_RANDOM_BYTES)
            made = new_api_key(first + entropy(SECRET_RANDOM_BYTES))
            if not known:
                refuse_beyond(self._most, len(change.state.keys()), "keys")
            until_s = now_s + LASTS_S
            key = Key(
                id=made.id,
                tenant=tenant,
                role=Role.MEMBER,
                secret_sha256=made.secret_sha256,
                models=_models(line_of(began.text), run),
                expires_unix_s=until_s,
                created_unix_s=now_s,
            )
            change.state.put_key(key)
            change.lines.put_line(replace(kept, key=key.id))
            facts = {"tenant": tenant, "line": line, "run": run, "purpose": "evaluate"}
            what = "key.renew" if known else "key.add"
            models = list(key.models)
            change.book(what, key.id, role=key.role.value, models=models, expires=until_s, **facts)
        self._changes.wait_in_force(change.version)
        return _Held(run, made.id, made.text, until_s)


def _going(change: Change, run: str) -> Run:
    """Raises Conflict for one that is over."""
    found = change.lines.run(run)
    if found is None or found.state is not RunState.RUNNING:
        raise Conflict(f"run {run}", "it is over")
    return found


def _models(line: Line, run: str) -> tuple[str, ...]:
    """All that a run may ask: nobody else's key can name its candidate."""
    served = (line.base,) if line.release is None else (line.base, line.release)
    return served if line.method is None else (*served, candidate_name(line.name, run))


def _known(change: Change, key: str) -> bool:
    """Whether a line has a key. Raises Conflict for a revoked one."""
    found = change.state.key(key) if key else None
    if found is not None and found.revoked:
        why = "it was revoked; inland line add FILE declares the line anew, with another"
        raise Conflict(f"key {key!r} of the line", why)
    return found is not None
