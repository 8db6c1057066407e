"""What `cockpit check` warns of in a plan in which nothing is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.plan.foresight import foresee
from cockpit.plan.load import load
from tests.plan.plans import KINDS, SAMPLES, SMALL, WHOLE, changed, load_text

SWITCH = changed("stages = [{ percent = 50 }]", "stages = [{ percent = 100 }]")
LIMIT = 'new = { bad = "new_bad", total = "new_all" }\nlimit = { max_pct = 5 }'


def limited(text: str, more: str = "") -> str:
    return text.replace('new = { bad = "new_bad", total = "new_all" }', f"{LIMIT}\n{more}")


def test_a_switch_without_any_limit_is_judged_by_nothing_at_its_end(tmp_path: Path) -> None:
    (warned,) = foresee(load_text(SWITCH, tmp_path))
    assert warned.subject == "flag chat_reads"
    assert "from 0% to 100% at once" in warned.text and "no signal that proposes a rollback" in warned.text


def test_a_limit_that_may_propose_a_rollback_is_enough(tmp_path: Path) -> None:
    assert foresee(load_text(limited(SWITCH), tmp_path)) == ()
    (warned,) = foresee(load_text(limited(SWITCH, "proposes_rollback = false"), tmp_path))
    assert warned.subject == "flag chat_reads", "a limit that only shows is nobody's alarm"


def test_a_flag_with_a_stage_between_is_compared_there(tmp_path: Path) -> None:
    assert foresee(load_text(SMALL, tmp_path)) == ()


@pytest.mark.parametrize("name", WHOLE)
def test_of_the_samples_only_the_one_without_signals_is_warned_of(name: str) -> None:
    warned = [each.subject for each in foresee(load(SAMPLES / name, KINDS))]
    assert warned == (["flag orders_env", "flag NEXT_PUBLIC_ORDERS"] if name == "levers.toml" else [])
