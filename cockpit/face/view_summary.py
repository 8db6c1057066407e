"""The whole situation as plain text, for the incident channel: what, how bad, since when, who."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.snapshot import Snapshot
from cockpit.face.view import LEVEL_WORD, Role, percent, safe, text_of
from cockpit.face.view_backends import probe_word
from cockpit.face.view_banner import level_now, mode_words, reason_words, rollback_words
from cockpit.face.view_rollback import countdown
from cockpit.face.view_rollout import configured, flag_word, observed
from cockpit.face.view_signals import side_rates, sides_ratio, signal_word


def summary_lines(snapshot: Snapshot, now: datetime) -> tuple[str, ...]:
    """Plain lines without colour or glyph art; every state in words."""
    mode, _ = mode_words(snapshot)
    lines = [
        f"{safe(snapshot.plan_title)} ({mode})",
        f"{now:%Y-%m-%d %H:%M:%S} UTC, {safe(snapshot.operator) or 'an observer'} on {safe(snapshot.host)}",
        *_driver(snapshot),
        f"state: {LEVEL_WORD[level_now(snapshot, now)].text}",
    ]
    lines += [f"- {text_of(reason_words(reason, now))}" for reason in snapshot.reasons]
    rollback = snapshot.rollback
    if rollback is not None:
        time = countdown(rollback, now)
        lines.append(f"rollback: {time.digits} {time.word}, {rollback_words(rollback, snapshot, now)}")
    lines += ["flags:", *_flags(snapshot, now)]
    lines += ["backends:", *_probes(snapshot, now)]
    lines += ["signals:", *_signals(snapshot, now)]
    return tuple(lines)


def _driver(snapshot: Snapshot) -> list[str]:
    seat = snapshot.seat
    if seat is None or seat.holder is None:
        return []
    lives = "" if seat.holder_lives else ", no heartbeat"
    return [f"driver: {safe(seat.holder.name)} since {seat.holder.since:%H:%M:%S} UTC{lives}"]


def _flags(snapshot: Snapshot, now: datetime) -> list[str]:
    return [
        f"- {safe(flag.key)}: asked {percent(flag.asked)}, configured {configured(flag, now)[0]}, "
        f"observed {observed(flag, now)[0]}, {flag_word(flag, now).text}"
        for flag in snapshot.flags
    ]


def _probes(snapshot: Snapshot, now: datetime) -> list[str]:
    return [
        f"- {backend.side} {safe(probe.name)}: {probe_word(probe, now).text}"
        for backend in snapshot.backends
        for probe in backend.probes
    ]


def _signals(snapshot: Snapshot, now: datetime) -> list[str]:
    told: list[str] = []
    for signal in snapshot.signals:
        (legacy, _), (new, _) = side_rates(signal, now, Role.TEXT)
        word, ratio = signal_word(signal, now).text, sides_ratio(signal, now)
        told.append(f"- {safe(signal.title)}: {word}, legacy {legacy}, new {new}, {ratio}")
    return told
