"""The first look at the deck: it waits for nobody."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from tests.e2e.conftest import FLAGS, QUICK, Stage
from tests.e2e.terminal import Terminal

pytestmark = pytest.mark.timeout(120)


def test_the_deck_is_painted_while_no_service_has_answered_anything(stage: Stage) -> None:
    patient = stage.changed(
        *((f'{name} = "{QUICK}"', f'{name} = "60s"') for name in ("flags", "probes", "signals"))
    )
    for service in ("unleash", "prometheus", "convex", "legacy", "new"):
        stage.inject("hang", service=service)
    with Terminal(patient.command("fly"), env=patient.env, columns=80, rows=24) as terminal:
        for words in (*FLAGS, "NEW Convex", "Failed syncs", "UNKNOWN", "q Quit"):
            terminal.expect(words)
        assert "✓" not in terminal.text, "nobody has said that anything is well"
        assert terminal.text.count("UNKNOWN") >= 5


BROKEN: Final = """
import sys
from cockpit.cli import main, wiring
from cockpit.plan.secrets import SecretProblem

def building(builder, plan):
    raise SecretProblem("flag_service.main: it was there a moment ago")

wiring.Builder.__call__ = building
sys.argv = ["cockpit", "fly", sys.argv[1]]
main()
"""


def test_what_is_found_missing_behind_the_first_look_ends_the_screen_and_says_so(stage: Stage) -> None:
    command = [sys.executable, "-c", BROKEN, str(stage.plan_path)]
    with Terminal(command, env=stage.env, columns=80, rows=24) as terminal:
        terminal.expect("q Quit")
        terminal.expect("flag_service.main: it was there a moment ago")
        assert terminal.process.wait(60) == 2
    assert stage.kinds()[-1] == "flight.ended"
