"""What Textual loads for its own palette of commands, and the deck never shows: not loaded here.

`textual.app` imports a palette that this app switches off, and with it lists, inputs, buttons and spinners,
and through its types trees and menus: a tenth of what a screen loads. In a release of Textual that is known
stand-ins take the place of two modules before it is loaded. Whoever asks them for anything that they do not
have gets the true module, which then takes its place.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from cockpit.core.textual_release import unknown_release

PALETTE: Final = (
    "CommandListItem",
    "CommandPalette",
    "DiscoveryHit",
    "Hit",
    "Hits",
    "Provider",
    "SimpleProvider",
)
"""What Textual names when it defines its app and its themes, and uses in a palette alone."""


def lighten() -> bool:
    """Before anything of Textual is loaded; whether it was done."""
    loaded = any(name in sys.modules for name in ("textual.app", "textual.command", "platformdirs"))
    if loaded or unknown_release(installed_release()):
        return False
    _stand_in("textual.command", {name: type(name, (), {}) for name in PALETTE})
    _stand_in("platformdirs", {"user_downloads_path": _user_downloads_path})
    return True


def installed_release() -> str:
    """Textual's release, by the name of the folder that pip makes beside it: to load what reads the metadata
    of packages costs more than ten of the deck's modules, and is done where there is no such folder."""
    found = find_spec("textual")
    if found is None or found.origin is None:
        return "without a version"
    beside = Path(found.origin).parent.parent.glob("textual-*.dist-info")
    releases = [place.name.removeprefix("textual-").removesuffix(".dist-info") for place in beside]
    return releases[0] if len(releases) == 1 else _by_metadata()


def _by_metadata() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("textual")
    except PackageNotFoundError:
        return "without a version"


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def _stand_in(name: str, has: dict[str, object]) -> None:
    module = _StandIn(name)
    vars(module).update(has)
    sys.modules[name] = module


def _user_downloads_path() -> Path:
    """As the true one, which Textual asks when somebody saves a picture of the screen."""
    sys.modules.pop("platformdirs", None)
    return Path(import_module("platformdirs").user_downloads_path())
