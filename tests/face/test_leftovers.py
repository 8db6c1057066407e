"""A page that was closed leaves nothing behind."""

from __future__ import annotations

import gc

import pytest
from textual._styles_cache import StylesCache

from tests.face import pictures
from tests.face.conftest import Fly

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
        for _ in range(6):
            await driven.press(PAGES[page])
            assert not driven.on_deck
            await driven.press("escape")
            await driven.until(lambda: driven.on_deck)
        await driven.settle()
        assert caches() <= before + 4, "four widgets of one page may still be on their way out"
