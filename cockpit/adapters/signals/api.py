"""A server that speaks the Prometheus HTTP API: how it is reached, and what its refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.signals.instant import read_error
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.adapters.signals.settings import PrometheusSettings
    from cockpit.core.secret import Secret

_CONCURRENT: Final = 4


def open_api(
    settings: PrometheusSettings,
    web: Web,
    secret: Secrets,
    timeout_s: float,
    *,
    max_body: int = 2_000_000,
) -> HttpHost:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {"Accept": "application/json"}
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    if settings.tenant is not None:
        headers["X-Scope-OrgID"] = settings.tenant
    return web.host(
        settings.url,
        headers=headers,
        timeout_s=timeout_s,
        max_body=max_body,
        ca_file=settings.ca_file,
        max_concurrent=_CONCURRENT,
    )


def explain(answer: Answer) -> AdapterError:
    """What an answer other than 200 means. Proxies and a starting server answer without JSON."""
    try:
        told = read_error(answer.status, answer.json())
    except BrokenAnswer as broken:
        if answer.status == 503:
            starting = Failure(title="the source is starting or stopping", detail=answer.text(120))
            return ServiceTrouble(starting, status=503)
        if answer.status in (404, 405):
            return _no_api(answer)
        return broken if answer.status >= 500 else answer.as_error()
    return told or answer.as_error()


def _no_api(answer: Answer) -> AdapterError:
    title = f"no Prometheus API at this address (HTTP {answer.status}): check url and base_path"
    failure = Failure(title=title, detail=answer.asked, retryable=False, fault=Fault.PLAN)
    return RefusedByService(failure, status=answer.status)
