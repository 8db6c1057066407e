"""What a flag's page says of its way back."""

from __future__ import annotations

from dataclasses import replace

from cockpit.face.view import text_of
from cockpit.face.view_detail import Subject, Topic, detail_lines
from tests.face import pictures
from tests.face.pictures import NOW


def test_a_flag_without_a_lever_elsewhere_says_so() -> None:
    base = pictures.calm()
    for falls in (False, True):
        flags = tuple(replace(flag, falls_with_new=falls) for flag in base.flags)
        lines = detail_lines(Subject(Topic.FLAG, flags[0].key), replace(base, flags=flags), NOW, 100)
        said = "\n".join(text_of(each) for each in lines)
        assert ("goes down with the new backend: it has no lever elsewhere" in said) is falls
