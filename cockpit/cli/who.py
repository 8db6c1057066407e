"""Who sits at the keys."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

from cockpit.core.clean import clean_text
from cockpit.core.events import MACHINE


def operator_name(environ: Mapping[str, str]) -> str:
    """Who flies: COCKPIT_OPERATOR (for shared accounts), else the login name.

    Nobody signs as the machine, not even an account of that name.
    """
    name = environ.get("COCKPIT_OPERATOR")
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid {os.getuid()}"
    name = clean_text(name, limit=40) or "unknown"
    return f"user {name}" if name.casefold() == MACHINE else name
