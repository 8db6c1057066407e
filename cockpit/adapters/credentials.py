"""How a secret becomes a header. Here and in the adapters is the only place where one is revealed."""

from __future__ import annotations

from collections.abc import Callable

from cockpit.core.secret import Secret, SecretRef

Secrets = Callable[[SecretRef], Secret]


def bearer(secret: Secret) -> Secret:
    return Secret(f"Bearer {secret.reveal()}")
