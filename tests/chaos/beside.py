"""Something that goes on in a thread of its own beside what a test does, until its block ends."""

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Beside(ABC):
    """`go_on` runs in the thread; it ends soon once `over` is set."""

    over: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = field(default=None, init=False, repr=False)

    @abstractmethod
    def go_on(self) -> None:
        """What the thread does."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.go_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        assert self._thread is not None
        self._thread.join()
