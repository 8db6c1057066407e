"""Memory of a process that stands for hours: one heap for all threads; what the start built is set aside."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
"""Both from glibc's malloc.h."""
_LARGE: Final = 64 * 1024
_USUAL: Final = gc.get_threshold()
"""Python's own, which differ from release to release: this module is loaded before it changes them."""
_PARTIAL_LOOKS: Final = 2
"""How many lie between two full ones; usually 10."""
_OBJECTS_OF_A_START: Final = 150_000


def share_one_heap() -> None:
    """Before threads are started: glibc gives each of them a heap of its own, which keeps what was freed.

    Python lets one thread run at a time, so that sharing costs nothing; it saves 2 to 3 MiB of the deck's 15
    threads. What is large stays outside that heap and goes back to the machine when it is freed: glibc would
    take ever larger blocks into the heap, whose holes make it creep for hours. Without glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    from ctypes import CDLL

    with suppress(OSError, AttributeError):
        glibc = CDLL(None)
        glibc.mallopt(_M_ARENA_MAX, 1)
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


def wait_for_the_start() -> None:
    """From the first line of a command on: nearly everything that it makes until it is up is there to stay.

    To look through that again and again is an eighth of the CPU of a start. Not "never": one that hangs
    before it is up must not grow without end. A command that ends by itself needs no more than this.
    """
    gc.set_threshold(_OBJECTS_OF_A_START)


def set_start_aside() -> None:
    """Once the screen stands: what is there now stays, and the collector need not look at it any more.

    A full collection, during which no thread runs, takes 5 ms and not 70; so there may be more of them. A
    closed page is garbage that only they find, and they waited until it was a quarter of all that modules,
    plan and stylesheet are made of: some 4 MiB.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # the collector measures from here
    gc.set_threshold(*_USUAL[:2], _PARTIAL_LOOKS)
