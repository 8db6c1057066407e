"""What the environment says of the network: proxies, and whom to trust."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from typing import Final

_ELSEWHERE: Final = frozenset({"darwin", "win32"})
"""Where the system's own settings name proxies, too."""


def proxies() -> Mapping[str, str]:
    """By scheme, as urllib reads them; it is loaded only where there may be any."""
    if sys.platform not in _ELSEWHERE and not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    from urllib.request import getproxies

    return getproxies()


def by_proxy(host: str) -> bool:
    """Whether https to that host goes through a proxy."""
    named = proxies()
    if "https" not in named and "all" not in named:
        return False
    from urllib.request import proxy_bypass

    return not proxy_bypass(host)


def trust() -> ssl.SSLContext:
    """Trusts what SSL_CERT_FILE or SSL_CERT_DIR name, else the list of certifi.

    Raises OSError, ssl.SSLError.
    """
    if os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    if os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=os.environ["SSL_CERT_DIR"])
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
