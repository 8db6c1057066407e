"""What a TLS service shows of itself: the days its certificate has left, its name, whom it is signed by.

DOWN: the connection is refused, the certificate has ended, or it is made out to another name; then no
client can connect. DEGRADED: fewer days left than the plan allows. An authority that we do not trust
raises, and so becomes UNKNOWN: that may be our list of authorities as well as their certificate.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.fields import Host, Port
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.stream import Dialer, Stream, tls_context
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Health, ProbeValue
from cockpit.core.tables import Bound, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.core.clock import Clock

_DAY_S: Final = 86_400.0
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME: Final = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NAMES_SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProbeSettings(Settings):
    """A port that speaks TLS from the first byte."""

    host: Host
    """A name or an address."""
    port: Port = 443
    """The port that is connected to."""
    server_name: Host | None = None
    """The name that is asked for and that the certificate must bear; without it, `host`."""
    tls_days: Annotated[int, Bound(ge=1, le=3650)] = 14
    """Fewer days than this until the certificate ends is degraded."""
    issuer: Annotated[str, Size(1)] | None = None
    """Text that the issuer's name must hold; another issuer is degraded."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """Connecting, with TLS, slower than this is degraded."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


def build(settings: TlsProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> TlsProbe:
    """Raises RefusedByService for a CA file that cannot be used."""
    dialer = Dialer(
        settings.host,
        settings.port,
        tls=tls_context(settings.ca_file),
        server_name=settings.server_name,
    )
    return TlsProbe(settings, dialer, clock=web.clock, timeout_s=timeout_s)


class TlsProbe:
    """Sets up TLS once per poll and hangs up: a connection kept open would show an old certificate."""

    def __init__(
        self, settings: TlsProbeSettings, dialer: Dialer, *, clock: Clock | None, timeout_s: float
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._clock = clock
        self._timeout_s = timeout_s

    async def probe(self) -> ProbeValue:
        try:
            stream = await self._dialer.open(self._timeout_s)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED or _certificate_fails(trouble):
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        try:
            return self._judge(stream)
        finally:
            stream.close()

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    def _judge(self, stream: Stream) -> ProbeValue:
        certificate: dict[str, Any] = stream.writer.get_extra_info("peercert") or {}
        days_left = self._days_left(certificate)
        issuer = _name_of(certificate.get("issuer"))
        weak = self._weakness(stream, days_left, issuer)
        facts = [
            ("certificate", "its end is not known" if days_left is None else f"{days_left:.1f} days left"),
            ("names", _names(certificate)),
            ("issuer", clean_text(issuer, limit=80)),
            ("protocol", clean_text(stream.writer.get_extra_info("ssl_object").version(), limit=20)),
            ("address", stream.peer),
        ]
        return ProbeValue(
            health=Health.DEGRADED if weak else Health.OK,
            detail=weak or "its certificate is good and leads to a trusted authority",
            latency_ms=stream.took_s * 1000,
            facts=tuple((name, text) for name, text in facts if text),
        )

    def _weakness(self, stream: Stream, days_left: float | None, issuer: str) -> str:
        limit_s, wanted = self._settings.latency_limit, self._settings.issuer
        if days_left is None:
            return "when its certificate ends cannot be told"
        if days_left < self._settings.tls_days:
            return f"the certificate ends in {days_left:.1f} days, the limit is {self._settings.tls_days}"
        if wanted is not None and wanted not in issuer:
            return (
                f"signed by {clean_text(issuer, limit=60)}, the plan expects {clean_text(wanted, limit=60)}"
            )
        if limit_s is not None and stream.took_s > limit_s:
            return f"slow: {stream.took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
        return ""

    def _days_left(self, certificate: dict[str, Any]) -> float | None:
        ends, now = certificate.get("notAfter"), self._clock.now() if self._clock is not None else None
        if not isinstance(ends, str) or now is None:
            return None
        try:
            ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return (ends_at - now).total_seconds() / _DAY_S


def _certificate_fails(trouble: NoAnswer) -> bool:
    """Whether what the service shows of itself is wrong for every client, whomever that client trusts."""
    cause = trouble.__cause__
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return cause.verify_code == _EXPIRED or cause.verify_code in _OTHER_NAME


def _name_of(distinguished: object) -> str:
    """The organisation and common name out of the nested pairs that the ssl module makes."""
    parts = [pair for group in distinguished for pair in group] if isinstance(distinguished, tuple) else []
    wanted = [value for key, value in parts if key in ("organizationName", "commonName")]
    return ", ".join(map(str, wanted))


def _names(certificate: dict[str, Any]) -> str:
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return clean_text(", ".join(names[:_NAMES_SHOWN]), limit=160) + more
