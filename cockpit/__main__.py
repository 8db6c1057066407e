"""`python -m cockpit` is `cockpit`."""

from __future__ import annotations

from cockpit.cli import main

main()
