"""The actions on the screen: footer, help, palette and the key table. All are made from `actions`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cockpit.core.snapshot import Snapshot
from cockpit.face.actions import ACTIONS, MOVES, READ_ONLY, Action, Group, rollback_open
from cockpit.face.view import Line, Role, Segment, clip, fit, merge
from cockpit.face.view_lines import wrapped

FOOTER_KEYS: Final = 7
_KEY_NAMES: Final = {
    "question_mark": "?",
    "colon": ":",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "f1": "F1",
}


def key_name(key: str) -> str:
    """How a key is written on the screen."""
    return _KEY_NAMES.get(key, key)


def key_names(action: Action) -> str:
    return " ".join(key_name(key) for key in action.keys)


def offered(action: Action, snapshot: Snapshot) -> bool:
    """Whether the action has any place in this picture; a dim one has."""
    if action.id == "rollback.open" and rollback_open(snapshot):
        return True  # its key shows the countdown then, which anybody may see
    if action.touches and snapshot.read_only:
        return False
    return snapshot.mode in action.modes


def why_not(action: Action, snapshot: Snapshot) -> str:
    """Why the action does nothing now, empty when it works."""
    if not offered(action, snapshot):
        return READ_ONLY
    return action.why_not(snapshot)


def footer_actions(snapshot: Snapshot) -> tuple[Action, ...]:
    """At most seven, the most useful ones of those that have a place, in the order of the list."""
    candidates = [action for action in ACTIONS if action.footer and offered(action, snapshot)]
    chosen = sorted(candidates, key=lambda action: action.footer)[:FOOTER_KEYS]
    return tuple(action for action in ACTIONS if action in chosen)


def footer_line(snapshot: Snapshot, width: int) -> Line:
    """` R Roll back  A Advance  ...`; dim where the key would only say why not."""
    parts: list[Segment] = []
    for action in footer_actions(snapshot):
        dim = bool(why_not(action, snapshot))
        words = "Rollback" if action.id == "rollback.open" and rollback_open(snapshot) else action.short
        parts.append((f" {key_name(action.keys[0])} ", Role.DIM if dim else Role.KEY))
        parts.append((f"{words} ", Role.DIM if dim else Role.TEXT))
    return clip(merge(parts), width)


def palette(snapshot: Snapshot, wanted: str) -> tuple[Action, ...]:
    """The named actions that match every word typed, write actions only where they have a place."""
    words = wanted.lower().split()
    return tuple(
        action
        for action in ACTIONS
        if action.id not in MOVES
        and action.id not in ("command.open", "back")
        and offered(action, snapshot)
        and all(word in f"{action.id} {action.named(snapshot)} {action.tip}".lower() for word in words)
    )


def palette_line(action: Action, snapshot: Snapshot, width: int) -> Line:
    reason = why_not(action, snapshot)
    return clip(
        (
            (fit(key_name(action.keys[0]), 10), Role.DIM if reason else Role.KEY),
            (fit(action.named(snapshot), 26), Role.DIM if reason else Role.STRONG),
            (f"not now: {reason}" if reason else action.tip, Role.WARN if reason else Role.DIM),
        ),
        width,
    )


def help_lines(snapshot: Snapshot, width: int) -> tuple[Line, ...]:
    """Every action by group with its keys; for a dim one, why."""
    lines: list[Line] = []
    for group, actions in _grouped():
        if lines:
            lines.append(())
        lines.append(((group, Role.ACCENT),))
        for action in actions:
            lines.extend(_help_entry(action, snapshot, width))
    return tuple(lines)


def _help_entry(action: Action, snapshot: Snapshot, width: int) -> Iterable[Line]:
    reason = why_not(action, snapshot)
    head: Line = (
        (fit(f"  {key_names(action)}", 12), Role.DIM if reason else Role.KEY),
        (fit(action.named(snapshot), 26), Role.DIM if reason else Role.STRONG),
    )
    indent: Line = ((" " * 38, Role.TEXT),)
    room = max(16, width - 38)
    for index, tip in enumerate(wrapped(action.tip, room)):
        yield clip((*(indent if index else head), (tip, Role.DIM if reason else Role.TEXT)), width)
    for tip in wrapped(f"not now: {reason}", room) if reason else ():
        yield clip((*indent, (tip, Role.WARN)), width)


def _grouped() -> Iterable[tuple[Group, tuple[Action, ...]]]:
    for group in Group:
        yield group, tuple(action for action in ACTIONS if action.group is group)


def keys_markdown() -> str:
    """The key table of the README."""
    rows = ["| key | action | what it does |", "|---|---|---|"]
    for _group, actions in _grouped():
        for action in actions:
            keys = " ".join(f"`{key_name(key)}`" for key in action.keys)
            rows.append(f"| {keys} | {action.title} | {action.tip} |")
    return "\n".join(rows) + "\n"
