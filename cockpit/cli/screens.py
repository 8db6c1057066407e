"""Putting a screen on: whether one can be shown here, and the deck or the wall until it is left.

Nothing here knows of plans, services or secrets: whoever only looks loads none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cockpit.cli.life import Backstage, attend, screen_refusal
from cockpit.cli.output import say_error
from cockpit.cli.who import operator_name


def refuses_screen() -> bool:
    """Whether no screen can be shown here; says why, and what to use instead."""
    refusal = screen_refusal(os.environ)
    if refusal:
        say_error(f"{refusal}: this command needs a screen")
        say_error("`cockpit status PLAN` says how it stands in plain lines,")
        say_error("`cockpit rollback PLAN --reason ...` rolls back without a screen")
    return bool(refusal)


def own_themes(environ: Mapping[str, str]) -> Path:
    """Where themes are watched: the user's own directory, else the shipped ones."""
    from cockpit.face.themes import themes_dir

    root = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    own = Path(root) / "cutover-cockpit" / "themes"
    return own if own.is_dir() else themes_dir()


def show_deck(
    behind: Backstage, *, theme: str | None, mouse: bool, standing: Callable[[], object] | None = None
) -> int:
    """The deck before something started, until it is left; the exit code. standing: called once it stands.

    Raises what kept an engine on the ground that was started patiently.
    """
    from cockpit.engine.clock import SystemClock
    from cockpit.face.lean import lighten

    lighten()
    from cockpit.face.app import CockpitApp

    app = CockpitApp(
        behind,
        SystemClock(),
        operator_name(os.environ),
        theme=theme,
        theme_dir=own_themes(os.environ),
        mouse=mouse,
        standing=standing,
    )
    return attend(behind, app.fly, lambda: app.call_later(app.exit))


def show_wall(behind: Backstage, *, theme: str | None) -> int:
    """The same for the wall."""
    from cockpit.engine.clock import SystemClock
    from cockpit.face.lean import lighten

    lighten()
    from cockpit.face.wall import WallApp

    app = WallApp(behind, SystemClock(), theme=theme, theme_dir=own_themes(os.environ))

    def run() -> int:
        app.run(mouse=False)
        return app.return_code or 0

    return attend(behind, run, lambda: app.call_later(app.exit))
