"""Why a service gave no answer, in plain words and without any network library."""

from __future__ import annotations

import ssl
from enum import StrEnum

from cockpit.adapters.base import Unreachable
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure


class Cause(StrEnum):
    """Why there is no answer. Only REFUSED is the host itself saying that nobody listens there."""

    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    RESET = "reset"
    TIMEOUT = "timeout"
    PROXY = "proxy"
    NO_ROUTE = "no_route"


class NoAnswer(Unreachable):
    """Every Unreachable of a network client; `cause` lets a probe tell DOWN from UNKNOWN."""

    def __init__(self, failure: Failure, *, cause: Cause, sent: bool) -> None:
        super().__init__(failure, sent=sent)
        self.cause = cause


def tls_words(error: ssl.SSLError) -> str:
    """What is wrong with TLS. Certificate complaints are quoted, cleaned, because they name the remedy."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return clean_text(error.verify_message, limit=120)
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE"):
        return "that port does not speak TLS"
    return clean_text((error.reason or "failed").replace("_", " ").lower(), limit=120)
