"""Control's threads: what each of its loops does again and again, and what the end of one means."""

import logging
import os
import threading
from collections.abc import Callable

from inland.adapters.files.clock import SystemClock
from inland.plant.books.books import Books
from inland.plant.ticker import Ticker
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeysAway

#: Pause between two bookings, in seconds; a receipt waits for the next one.
BOOK_S = 1.0
#: Pause between two looks at whose keys are withdrawn, and at whether blobs can be had, in seconds.
KEYS_S, BLOBS_S = 1.0, 10.0
#: How far booking gives way to others on its core (nice, 0 to 19).
BOOK_NICE = 10
_FATAL = 70
_log = logging.getLogger("inland.control")


def book(books: Books, ended: threading.Event) -> None:
    """Book each second. What fails is said and tried again; damage raises an alarm by itself.

    Where a gateway shares the core, its callers come first: this thread gives way.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BOOK_NICE)
    while not ended.wait(BOOK_S):
        try:
            books.tick()
        except Exception:  # noqa: BLE001 - whatever it was, the journals still hold it
            _log.exception("booking failed; it is tried again")


def look(keeper: Callable[[], None], pause_s: float, ended: threading.Event) -> None:
    """At one keeper of the vault, at once and then again and again: it may answer slowly, so
    nothing else waits for it."""
    away, pause = "", 0.0
    while not ended.wait(pause):
        pause = pause_s
        try:
            keeper()
        except (KeysAway, BlobsAway) as error:
            if error.why != away:
                _log.error("the vault is away", extra={"why": str(error)})
            away = error.why
        except Exception:  # noqa: BLE001 - it is tried again
            _log.exception("a look at the vault failed")
        else:
            if away:
                _log.warning("the vault is back", extra={"was": away})
            away = ""


def keep_assets(upkeep: Ticker, ended: threading.Event) -> None:
    """What was cut, and what goes: nobody waits for it, so it gives way. The process may end in the
    middle of a slow server's call; the next one goes on from there."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BOOK_NICE)
    upkeep.run(SystemClock(), ended.is_set)


def end_unless(alive: bool) -> None:  # noqa: FBT001 - reads as prose
    """Without its feed control can neither renew leases nor know who holds one."""
    if not alive:
        _log.critical("the feed's thread ended")
        os._exit(_FATAL)


def step_failed(controller: str, error: Exception) -> None:
    _log.error("a step failed", exc_info=error, extra={"controller": controller})


def aside(run: Callable[[], None]) -> None:
    """A thread for something that ends by itself, or with the process."""

    def guarded() -> None:
        try:
            run()
        except Exception:  # noqa: BLE001 - told to who asks for it; here it is only logged
            _log.exception("what ran aside failed")

    threading.Thread(target=guarded, name="aside", daemon=True).start()


def loop(name: str, run: Callable[[], None]) -> threading.Thread:
    """A loop that control cannot do without: its end is the process's."""

    def guarded() -> None:
        try:
            run()
        except BaseException:  # noqa: BLE001 - nothing may end a loop quietly
            _log.exception("a loop of control ended", extra={"loop": name})
            os._exit(_FATAL)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
