"""The requests of a batch, asked through our own gateway: each decided, metered and recorded there.

What came of one is sealed under the key of the batch's input before it counts as answered, and what
counts is not asked again. What was under way when control was killed is: `limits.batch_at_once`
requests at most.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock

import msgspec

from inland.batches.keys import BatchKeys
from inland.domain.batches import Answer, Batch
from inland.domain.errors import Busy, Conflict
from inland.plant.asset_texts import AssetTexts
from inland.plant.changes import Changes
from inland.ports.tokens import Passed, Passing
from inland.ports.vault import TextName

#: Statuses of what may be asked again: a full queue, a spent budget, an engine that is not there.
_AGAIN = frozenset({408, 425, 429, 503})
#: Of what failed in an engine: asked again so often.
_FAILED, _ATTEMPTS = frozenset({500, 502, 504}), 3
#: The longest pause before a request is asked again, in seconds.
_PAUSE_S = 5
#: A gateway's words for a key that another may have taken the place of since it was sent.
_OUTDATED = frozenset({"invalid_api_key", "expired_api_key"})
#: Its words for a key, or its tenant, that may ask nothing at all.
_CLOSED = _OUTDATED | {"revoked_api_key", "tenant_suspended", "keys_withdrawn"}


@dataclass(frozen=True, slots=True)
class Line:
    """A request of the input. `body`: JSON."""

    number: int
    custom_id: str
    body: str


class Asking:
    """Asks for batches. Threads may share it."""

    def __init__(
        self,
        changes: Changes,
        texts: AssetTexts,
        tokens: Passing,
        keys: BatchKeys,
        at_once: int,
    ) -> None:
        """`at_once`: requests of one batch."""
        self._changes = changes
        self._texts = texts
        self._tokens = tokens
        self._keys = keys
        self._at_once = at_once

    def ask(self, batch: Batch, lines: Iterator[Line], go_on: Callable[[], None]) -> None:
        """Ask all of `lines`; what came of each is durable when it returns.

        `go_on` raises where nothing more is to be asked. Raises Conflict where nothing may be, and
        what the vault does.
        """
        turn, left = Lock(), [lines]

        def next_one() -> Line | None:
            with turn:
                return next(left[0], None)

        def carry() -> None:
            try:
                while (line := next_one()) is not None:
                    go_on()
                    self._keep(batch, line, self._answer(batch, line, go_on))
            except BaseException:
                with turn:  # the others end what they have, and take no more
                    left[0] = iter(())
                raise

        with ThreadPoolExecutor(self._at_once, "batch") as pool:
            for each in [pool.submit(carry) for _ in range(self._at_once)]:
                each.result()

    def keep_unasked(self, batch: Batch, lines: Iterator[Line], code: str, why: str) -> None:
        """Say of each of `lines` why it was not asked."""
        for line in lines:
            self._put(batch, line, None, {"code": code, "message": why}, failed=True)

    def _answer(self, batch: Batch, line: Line, go_on: Callable[[], None]) -> Passed:
        failures = 0
        while True:
            try:
                key = self._keys.text(batch)
                passed = self._tokens.pass_on(key, batch.endpoint, line.body.encode())
            except Busy as busy:
                self._rest(busy.retry_after_s, go_on)
                continue
            if self._is_outdated(batch, key, passed):
                go_on()
                continue
            failures += passed.status in _FAILED
            again = passed.status in _FAILED and failures < _ATTEMPTS
            if not again and passed.status not in _AGAIN:
                return passed
            self._rest(passed.retry_after_s, go_on)

    def _rest(self, seconds: int, go_on: Callable[[], None]) -> None:
        self._changes.clock.sleep(min(max(seconds, 1), _PAUSE_S))
        go_on()

    def _is_outdated(self, batch: Batch, key: str, passed: Passed) -> bool:
        """Whether it is to be asked again with the key that took the place of the one sent. Raises
        Conflict where no request of the batch would be let in."""
        if passed.status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return False
        try:
            error = msgspec.json.decode(passed.body)["error"]
            code, why = str(error["code"]), str(error["message"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return False
        if code not in _CLOSED:
            return False
        was_newest = self._keys.drop(batch, key)
        if was_newest or code not in _OUTDATED:
            raise Conflict(f"batch {batch.id}", why)
        return True

    def _keep(self, batch: Batch, line: Line, passed: Passed) -> None:
        response = {
            "status_code": passed.status,
            "request_id": passed.receipt,
            "body": msgspec.Raw(passed.body),
        }
        self._put(batch, line, response, None, failed=passed.status != HTTPStatus.OK)

    def _put(
        self,
        batch: Batch,
        line: Line,
        response: dict[str, object] | None,
        error: dict[str, str] | None,
        *,
        failed: bool,
    ) -> None:
        told = {
            "id": f"batch_req_{batch.id}_{line.number}",
            "custom_id": line.custom_id,
            "response": response,
            "error": error,
        }
        text = msgspec.json.encode(told).replace(b"\n", b" ").decode() + "\n"
        sealed = self._texts.seal(_name(batch, line.number), text)
        answer = Answer(batch.id, line.number, failed, len(text.encode()), sealed)
        with self._changes.store.write() as transaction:
            transaction.batches.put_answer(answer)

    def opened(self, batch: Batch, answers: Sequence[Answer]) -> Iterator[bytes]:
        """The lines that they are."""
        for one in answers:
            yield self._texts.unseal(_name(batch, one.number), one.sealed).encode()


def _name(batch: Batch, number: int) -> TextName:
    return TextName(batch.tenant, batch.input, f"{batch.id} {number}")
