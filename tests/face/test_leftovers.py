"""A page that was closed leaves nothing behind."""

from __future__ import annotations

import gc

import pytest
from rich.cells import cached_cell_len, cell_len
from textual._styles_cache import StylesCache
from textual.geometry import Region

from cockpit.face import app
from tests.face import pictures
from tests.face.conftest import Fly

ROUNDS = 12
ON_THEIR_WAY_OUT = 12
"""Widgets of the last three pages: Textual lets go of a closed page some time after the next one was opened.
A page that stays adds four at every round."""

PAGES = {"help": "question_mark", "detail": "enter", "palette": "colon", "rollback": "R"}


def caches() -> int:
    gc.collect()
    return sum(isinstance(each, StylesCache) for each in gc.get_objects())


@pytest.mark.parametrize("page", PAGES)
async def test_painted_lines_of_closed_pages_are_let_go(fly: Fly, page: str) -> None:
    async with fly(pictures.calm()) as driven:
        await driven.press(PAGES[page], "escape")
        await driven.until(lambda: driven.on_deck)
        before = caches()
        for _ in range(ROUNDS):
            await driven.press(PAGES[page])
            await driven.until(lambda: not driven.on_deck)
            await driven.press("escape")
            await driven.until(lambda: driven.on_deck)
        await driven.until(lambda: caches() <= before + ON_THEIR_WAY_OUT)


async def test_widths_of_words_are_let_go_while_nobody_opens_a_page(
    fly: Fly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "DROP_EVERY_S", 0.05)
    async with fly(pictures.calm()) as driven:
        cell_len("a word · that nobody reads again")
        known = cached_cell_len.cache_info().misses
        await driven.until(lambda: cached_cell_len.cache_info().misses < known)


async def test_places_on_closed_pages_are_let_go(fly: Fly) -> None:
    async with fly(pictures.calm()) as driven:
        for key in PAGES.values():
            await driven.press(key)
            await driven.until(lambda: not driven.on_deck)
            Region(1, 2, 3, 4).translate((5, 6))
            known = Region.translate.cache_info().misses
            await driven.press("escape")
            await driven.until(lambda: driven.on_deck)
            assert Region.translate.cache_info().misses < known, "the cache was emptied, and counts anew"
