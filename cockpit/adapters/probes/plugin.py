"""Any check of the monitoring-plugin (Nagios) convention as a probe: its exit code is its word.

0 is OK, 1 WARNING is DEGRADED, 2 CRITICAL is DOWN. 3 UNKNOWN and every other end (126, 127, a signal,
past the time limit) raise, and so become UNKNOWN. So does an end without a word on standard output: the
convention wants one, argparse and shells end with 2 for a wrong argument, and a script that asked nobody
ends with 0. And so does a CRITICAL that says that the plugin itself could not ask (`could_not_ask`: its
own timeout, a name that does not resolve; check_http and check_tcp call both CRITICAL).

Source: Monitoring Plugins Development Guidelines; seen with Debian's monitoring-plugins 2.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import ServiceTrouble, Settings, Unreachable
from cockpit.adapters.credentials import Secrets, blanked
from cockpit.adapters.fields import Argument, Reference, Variable
from cockpit.adapters.probes.plugin_output import Said, read_output
from cockpit.adapters.program import Ended, plain_environment, program_name, run, said_lines
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, Health, ProbeValue
from cockpit.core.secret import Secret
from cockpit.core.tables import After, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

_WORDS: Final = {0: Health.OK, 1: Health.DEGRADED, 2: Health.DOWN}
_UNKNOWN: Final = 3
_COULD_NOT_ASK: Final = (
    "timed out",
    "timeout after",
    "invalid hostname",
    "name or service not known",
    "temporary failure in name resolution",
    "no route to host",
    "network is unreachable",
)
_SECRET_NAME: Final = re.compile(r"PASS|TOKEN|SECRET|CREDENTIAL|KEY\Z", re.IGNORECASE)


def _open_values(env: Mapping[str, object]) -> Mapping[str, object]:
    for name, value in env.items():
        if isinstance(value, str) and ("\0" in value or _SECRET_NAME.search(name)):
            raise ValueError(f'{name} holds a secret: give it by reference, such as {{ env = "NAME" }}')
    return env


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings(Settings):
    """A program that follows the monitoring-plugin (Nagios) convention. Never a shell.

    Its arguments can be seen by everybody on this host: a secret goes into `env`.
    """

    command: Annotated[tuple[Argument, ...], Size(1)]
    """The program and its arguments, such as ["/usr/lib/nagios/plugins/check_tcp", "-H", "db"]."""
    env: Annotated[Mapping[Variable, str | Reference], After(_open_values)] = field(default_factory=dict)
    """Variables for the program; a secret value comes by reference. LC_ALL is C.UTF-8 unless set here."""
    pass_env: tuple[Variable, ...] = ()
    """Variables of ours that it gets beside a plain environment (PATH, HOME and their like)."""
    latency: str | None = None
    """The label of the number that is the latency, such as "time" for check_http or "rta" for check_ping."""
    could_not_ask: tuple[Annotated[str, Size(3)], ...] = _COULD_NOT_ASK
    """A CRITICAL with one of these words means that the plugin could not ask: unknown, not down."""


def build(settings: PluginSettings, web: Web, secret: Secrets, timeout_s: float) -> PluginProbe:
    """Raises what `secret` raises."""
    given = {name: value if isinstance(value, str) else secret(value) for name, value in settings.env.items()}
    return PluginProbe(settings, given, timeout_s=timeout_s)


class PluginProbe:
    """Runs the plugin once per poll; keeps nothing between polls."""

    def __init__(
        self, settings: PluginSettings, given: Mapping[str, Secret | str], *, timeout_s: float
    ) -> None:
        self._settings = settings
        self._given = given
        self._timeout_s = timeout_s
        self._name = program_name(settings.command)

    async def probe(self) -> ProbeValue:
        ended = await run(self._settings.command, environment=self._environment(), timeout_s=self._timeout_s)
        said = read_output(self._blanked(ended.out))
        health = _WORDS.get(ended.code)
        if health is None:
            raise self._no_word(ended, said)
        self._doubt(ended, said, health)
        return ProbeValue(
            health=health,
            detail=said.line or f"{self._name} says nothing",
            latency_ms=self._latency_ms(said),
            facts=_facts(said, ended),
        )

    async def aclose(self) -> None:
        """Nothing runs between polls."""

    def _environment(self) -> dict[str, str]:
        """Revealed here only; the language is fixed because some plugins write numbers in the host's."""
        given = {
            name: value if isinstance(value, str) else value.reveal() for name, value in self._given.items()
        }
        return {**plain_environment(self._settings.pass_env), "LC_ALL": "C.UTF-8", **given}

    def _blanked(self, raw: bytes) -> str:
        """What was printed without the secrets we handed over."""
        secrets = (value for value in self._given.values() if isinstance(value, Secret))
        return blanked(raw.decode("utf-8", "replace"), secrets)

    def _no_word(self, ended: Ended, said: Said) -> ServiceTrouble:
        """UNKNOWN by its own word, or an end that is none of the convention."""
        if ended.code == _UNKNOWN:
            line = said.line or self._complaint(ended) or "without a word"
            return ServiceTrouble(Failure(title=clean_text(f"{self._name} says UNKNOWN: {line}", limit=200)))
        failure = Failure(
            title=f"{self._name} {ended.words}", detail=self._complaint(ended), fault=Fault.PLAN
        )
        return ServiceTrouble(failure)

    def _doubt(self, ended: Ended, said: Said, health: Health) -> None:
        """Raise when nothing was said, or when a CRITICAL does not say that the service is down."""
        text = self._blanked(ended.out).lower()
        if not text.strip():
            doubt = "wrong arguments?" if ended.code else "is it a monitoring plugin?"
            title = f"{self._name} {ended.words} and says nothing: {doubt}"
            raise ServiceTrouble(Failure(title=title, detail=self._complaint(ended), fault=Fault.PLAN))
        if health is Health.DOWN and any(words.lower() in text for words in self._settings.could_not_ask):
            title = clean_text(f"{self._name} could not ask: {said.line}", limit=200)
            raise Unreachable(Failure(title=title, fault=Fault.NETWORK))

    def _complaint(self, ended: Ended) -> str:
        return next(said_lines(self._blanked(ended.err).encode()), "")

    def _latency_ms(self, said: Said) -> float | None:
        wanted = self._settings.latency
        found = (each.milliseconds for each in said.measured if each.label == wanted)
        return next(found, None)


def _facts(said: Said, ended: Ended) -> tuple[tuple[str, str], ...]:
    facts = [(each.label, each.words) for each in said.measured]
    if said.unreadable:
        facts.append(("unreadable", f"{said.unreadable} numbers"))
    facts.append(("took", f"{ended.took_s * 1000:.0f} ms"))
    return tuple(facts)
