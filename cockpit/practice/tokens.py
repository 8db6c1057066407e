"""Throwaway tokens of the practice world. The prefix says what a token may do; no token is secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from cockpit.core.secret import Secret, SecretRef


class TokenKind(StrEnum):
    """Prefixes. ADMIN may do everything (`practice-as-NAME` is audited as NAME), VIEWER may read the
    admin API, CLIENT and FRONTEND belong to the SDK APIs."""

    ADMIN = "practice-"
    VIEWER = "viewer-"
    CLIENT = "client-"
    FRONTEND = "frontend-"


PERSON_PREFIX: Final = "practice-as-"
WRONG_TOKEN: Final = "wrong-token"

_ASKED_FOR: Final = {
    "PRACTICE_VIEWER_TOKEN": TokenKind.VIEWER + "token",
    "PRACTICE_CLIENT_TOKEN": TokenKind.CLIENT + "token",
    "PRACTICE_FRONTEND_TOKEN": TokenKind.FRONTEND + "token",
    "PRACTICE_WRONG_TOKEN": WRONG_TOKEN,
}


def kind_of(token: str) -> TokenKind | None:
    """None for a token that the world does not know."""
    return next((kind for kind in TokenKind if token.startswith(kind)), None)


def practice_secret(ref: SecretRef) -> Secret:
    """An admin token for every reference, so that any plan flies without its real secrets.

    References to the environment names `PRACTICE_VIEWER_TOKEN`, `PRACTICE_CLIENT_TOKEN`,
    `PRACTICE_FRONTEND_TOKEN` and `PRACTICE_WRONG_TOKEN` get tokens of those kinds instead, and
    `PRACTICE_AS_NAME` one that is audited under that name in lower case. Nothing is read from anywhere.
    """
    name = ref.env or ""
    if name in _ASKED_FOR:
        return Secret(_ASKED_FOR[name])
    if name.startswith("PRACTICE_AS_"):
        return Secret(PERSON_PREFIX + name.removeprefix("PRACTICE_AS_").lower())
    return Secret(TokenKind.ADMIN + "admin-token")
