"""A kind whose library is not installed: the plan says so at its place, with the command that helps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.plan.plans import changed, load_text, problems_of

SOCKET = 'kind = "websocket"\nurl = "wss://api.example.com/socket"'
PROBES = {
    "postgres": ("psycopg", 'kind = "postgres"\ndsn = { env = "LEGACY_DSN" }', "cutover-cockpit[postgres]"),
    "websocket": (
        "websockets",
        'kind = "websocket"\nurl = "wss://api.example.com/socket"',
        "cutover-cockpit[websocket]",
    ),
}


@pytest.mark.parametrize("kind", PROBES)
def test_the_missing_library_is_named_with_its_remedy(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, table, remedy = PROBES[kind]
    plan = changed("[backend.new]", f'[[backend.legacy.probe]]\nname = "data"\n{table}\n\n[backend.new]')
    assert load_text(plan, tmp_path).backends[0].probes[1].kind == kind
    monkeypatch.setitem(sys.modules, module, None)
    (problem,) = problems_of(plan, tmp_path)
    assert problem.endswith(f"this kind needs a library: pip install '{remedy}'")
    assert "backend.legacy.probe[data]" in problem
