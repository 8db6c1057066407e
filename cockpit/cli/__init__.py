"""The commands and their exit codes: the only room that sees all others.

Each command imports what it needs when it runs, so that `status` never loads a screen.

Exit codes: 0 fine, 1 regressed, failing or not done, 2 a wrong command line or plan, 3 unknown.
"""

from __future__ import annotations

from cockpit.cli.main import main

__all__ = ["main"]
