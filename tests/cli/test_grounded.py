"""A screen before an engine that never flew: it ends, and what kept the engine back is raised."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from cockpit.cli.life import Backstage, attend


class Grounded:
    """As an engine is whose adapters cannot be built. at_once: they could not before there was a screen."""

    last_words = ()

    def __init__(self, *, at_once: bool) -> None:
        self._ended = threading.Event()
        self.seen = threading.Event()
        self.failed: Exception | None = None
        if at_once:
            self._fail()

    def _fail(self) -> None:
        self.failed = RuntimeError("no library")
        self._ended.set()

    def grounded(self) -> bool:
        if self.failed is None:
            self.seen.wait()
            self._fail()
        return True

    def stop(self) -> None:
        self.seen.set()

    def latest(self) -> object:
        return type("Picture", (), {"tail": (), "rollback": None})

    def join(self, timeout_s: float | None = None) -> bool:
        return self._ended.wait(timeout_s)


def test_the_screen_is_asked_to_end() -> None:
    engine, left = Grounded(at_once=False), threading.Event()

    def fly() -> int:
        engine.seen.set()
        left.wait()
        return 0

    with pytest.raises(RuntimeError, match="no library"):
        attend(cast(Backstage, engine), fly, left.set)


def test_no_screen_is_put_on_when_it_is_known_by_then() -> None:
    flown: list[int] = []

    def fly() -> int:
        flown.append(0)
        return 0

    with pytest.raises(RuntimeError, match="no library"):
        attend(cast(Backstage, Grounded(at_once=True)), fly, lambda: None)
    assert not flown
