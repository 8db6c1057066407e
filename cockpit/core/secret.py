"""Secrets by reference, and the type that holds one without showing it."""

from __future__ import annotations

from typing import Final

from cockpit.core.dataclass import dataclass

REDACTED: Final = "[secret]"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is to be found; never the secret. Exactly one of the three is set.

    env: name of an environment variable. file: path of a file that only its owner can read.
    command: argv of a program whose standard output, stripped, is the secret.
    """

    env: str | None = None
    file: str | None = None
    command: tuple[str, ...] | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.env, self.file, self.command)) != 1:
            raise ValueError(
                'a secret is { env = "NAME" }, { file = "path" } or { command = ["prog", "arg"] }'
            )

    def __str__(self) -> str:
        if self.env is not None:
            return f"env {self.env}"
        if self.file is not None:
            return f"file {self.file}"
        return f"command {self.command[0] if self.command else ''}"


class Secret:
    """A secret in memory. Its repr, str and format are a redaction; `reveal` is for adapters only."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
