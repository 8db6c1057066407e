"""Who may know whom: the import rule of the house, read from the source and seen in running processes.

core knows only the standard library, and of that nothing that waits, reads the clock or touches the world.
watch, plan, adapters, engine, face and practice know core, and plan, adapters and face know watch; the engine
knows of the adapters only what they promise; the face knows neither. Only the front doors (the commands and
`__main__` modules) see all.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "cockpit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """ours: modules of this project it may import, with all below them. others: packages from outside.

    absent: what must not be loaded once the whole room is, not even through somebody else.
    """

    ours: frozenset[str]
    others: frozenset[str]
    absent: frozenset[str]


def names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def rule(ours: str, others: str, absent: str) -> Rule:
    return Rule(ours=names(ours), others=names(others), absent=names(absent))


RULES: Final = {
    "core": rule(
        "cockpit.core",
        "",
        "asyncio socket ssl http sqlite3 subprocess logging concurrent multiprocessing",
    ),
    "plan": rule(
        "cockpit.core cockpit.plan cockpit.watch",
        "",
        "httpx pydantic textual rich starlette uvicorn psutil cockpit.engine cockpit.face cockpit.practice",
    ),
    "adapters": rule(
        "cockpit.core cockpit.adapters cockpit.watch",
        "certifi h11 httpx idna h2 psutil psycopg ruamel websockets",
        "pydantic textual starlette uvicorn cockpit.plan cockpit.engine cockpit.face cockpit.practice",
    ),
    "engine": rule(
        "cockpit.core cockpit.engine cockpit.adapters.base cockpit.adapters.leaving",
        "msgspec psutil",
        "textual rich httpx starlette uvicorn click watchfiles cockpit.adapters.http cockpit.adapters.table"
        " cockpit.plan cockpit.face cockpit.practice",
    ),
    "face": rule(
        "cockpit.core cockpit.face cockpit.watch",
        "textual rich",
        "httpx pydantic starlette uvicorn psutil click cockpit.plan cockpit.adapters cockpit.engine"
        " cockpit.practice",
    ),
    "watch": rule(
        "cockpit.core cockpit.watch",
        "watchfiles",
        "textual rich httpx cockpit.plan cockpit.adapters cockpit.engine cockpit.face cockpit.practice",
    ),
    "practice": rule(
        "cockpit.core cockpit.practice cockpit.plan",
        "starlette uvicorn",
        "pydantic textual httpx cockpit.engine cockpit.face cockpit.adapters",
    ),
}

UNCLEAN_FOR_CORE: Final = names(
    """asyncio concurrent ctypes fcntl http io logging mmap multiprocessing os pathlib queue random sched
    secrets select selectors shutil signal socket sqlite3 ssl subprocess sys tempfile threading time urllib"""
)
HEAVY: Final = names("textual rich httpx starlette uvicorn pydantic psutil watchfiles asyncio sqlite3")
CLOCK: Final = Path("cockpit/engine/clock.py")


@dataclass(frozen=True, slots=True)
class Import:
    """`module` as written, with the imported name behind it where that may be a module itself."""

    file: Path
    line: int
    module: str

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def is_front_door(file: Path) -> bool:
    return file.name == "__main__.py" or file.relative_to(SOURCE).parts[0] in ("cli", "cli.py")


def files(room: str) -> list[Path]:
    return [file for file in sorted((SOURCE / room).rglob("*.py")) if not is_front_door(file)]


def imports(file: Path) -> Iterator[Import]:
    shown = file.relative_to(ROOT)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(shown, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown}:{node.lineno}: relative imports hide who knows whom"
            for alias in node.names:
                yield Import(shown, node.lineno, f"{node.module}.{alias.name}")


def lies_in(module: str, packages: frozenset[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def allowed(found: Import, its: Rule) -> bool:
    """The bare package holds the version and nothing else, so that anybody may ask it."""
    if found.top == "cockpit":
        return found.module in ("cockpit", "cockpit.__version__") or lies_in(found.module, its.ours)
    return found.top in sys.stdlib_module_names or found.top in its.others


@pytest.mark.parametrize("room", RULES)
def test_a_room_imports_only_whom_it_may_know(room: str) -> None:
    found = [one for file in files(room) for one in imports(file)]
    assert found
    assert [str(one) for one in found if not allowed(one, RULES[room])] == []


def test_the_core_imports_nothing_that_waits_or_touches_the_world() -> None:
    found = [one for file in files("core") for one in imports(file)]
    assert [str(one) for one in found if one.top in UNCLEAN_FOR_CORE] == []


def test_one_file_alone_reads_the_clock() -> None:
    """`datetime.now`, `date.today` and the time module live in the engine's clock; others are handed one."""
    offences = []
    for file in sorted(SOURCE.rglob("*.py")):
        if file.relative_to(ROOT) == CLOCK:
            continue
        offences += [str(one) for one in imports(file) if one.top == "time"]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
                base = node.value.attr if isinstance(node.value, ast.Attribute) else node.value
                name = base.id if isinstance(base, ast.Name) else base
                if name in ("datetime", "date"):
                    offences.append(f"{file.relative_to(ROOT)}:{node.lineno} reads the clock")
    assert offences == []


def test_every_room_has_a_rule() -> None:
    rooms = {entry.name for entry in SOURCE.iterdir() if (entry / "__init__.py").exists()}
    assert rooms - {"cli"} == set(RULES)
    assert {file.name for file in SOURCE.glob("*.py")} <= {"__init__.py", "__main__.py", "cli.py"}


LOADS: Final = """
import importlib, json, sys
before = {name for name, module in sys.modules.items() if module}
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name for name, module in sys.modules.items() if module} - before)))
"""


def loaded_by(*modules: str) -> list[str]:
    """What a fresh process has loaded after importing these, beyond what it began with."""
    run = subprocess.run(
        [sys.executable, "-c", LOADS, *modules],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    names: list[str] = json.loads(run.stdout)
    return names


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("room", RULES)
def test_a_loaded_room_drags_nobody_else_in(room: str) -> None:
    loaded = loaded_by(*[module_name(file) for file in files(room)])
    assert f"cockpit.{room}" in loaded
    assert [name for name in loaded if lies_in(name, RULES[room].absent)] == []


def test_the_loaded_core_is_the_standard_library_and_itself() -> None:
    loaded = loaded_by(*[module_name(file) for file in files("core")])
    strangers = [name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names]
    assert [name for name in strangers if not lies_in(name, frozenset({"cockpit.core"}))] == ["cockpit"]


def test_the_command_starts_without_what_it_may_not_need() -> None:
    """`cockpit --help` and a mistyped command answer at once: nothing heavy is loaded before it is used."""
    doors = [door for door in (SOURCE / "cli.py", SOURCE / "cli" / "main.py") if door.exists()]
    assert doors, "there is no command"
    loaded = loaded_by("cockpit.cli", *[module_name(door) for door in doors])
    assert [name for name in loaded if lies_in(name, HEAVY)] == []
