"""Where values stand in YAML, by the marks of a pure-Python parser (the extra `yaml`).

Anchors, tags and aliases are left alone: one place in the text may then be several in the document.
"""

from __future__ import annotations

import io
import re
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from cockpit.adapters.flags.file_edit import Patch, Path, number

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.+-]+|\"[^\"\\\n]*\"|'[^'\n]*'")
_MOST_VALUES: Final = 100_000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


class YamlSyntax:
    def parse(self, text: str) -> object:
        """One document of mappings. Raises ValueError."""
        try:
            return _Plain().of(_reader().load(io.StringIO(text)))
        except YAMLError as error:
            why = getattr(error, "problem", None) or "not understood"
            raise ValueError(f"not valid YAML: {why}") from None

    def patch(self, text: str, path: Path, value: object) -> Patch | None:
        """Change a plain scalar, or put a new key first into a mapping that has others."""
        node: Node = _reader().compose(io.StringIO(text))
        for place, step in enumerate(path):
            if not isinstance(node, MappingNode):
                return None
            inner = [each for key, each in node.value if key.value == step]
            if not inner:
                return _first(text, node, str(step), value) if place == len(path) - 1 else None
            node = inner[0]
        if not isinstance(node, ScalarNode):
            return None
        start, end = node.start_mark.index, node.end_mark.index
        return Patch(start, end, _scalar(value)) if _PLAIN.fullmatch(text[start:end]) else None


def _first(text: str, mapping: MappingNode, name: str, value: object) -> Patch | None:
    """A new key before the first one of the mapping, in its own style."""
    if not mapping.value or not _NAME.fullmatch(name):
        return None
    at = mapping.value[0][0].start_mark.index
    if mapping.flow_style:
        return Patch(at, at, f"{name}: {_scalar(value)}, ")
    begin = text.rfind("\n", 0, at) + 1
    indent = text[begin:at]
    if indent.strip(" "):
        return None
    end = "\r\n" if text[:begin].endswith("\r\n") else "\n"
    return Patch(at, at, f"{name}: {_scalar(value)}{end}{indent}")


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    text = str(value)
    plain = _NAME.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else "'" + text.replace("'", "''") + "'"


def _reader() -> YAML:
    return YAML(typ="safe", pure=True)


class _Plain:
    """The reader's own kinds of mapping and list as plain ones. Counts, because a few aliases of aliases
    are a document larger than any memory.
    """

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def of(self, value: object) -> object:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many values")
        if isinstance(value, dict):
            return {str(key): self.of(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.of(each) for each in value]
        return value
