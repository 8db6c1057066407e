"""Plans for the tests of this room: the samples, a small plan to write variations of, the real kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from cockpit.adapters.table import ANNOUNCERS, FLAG_SERVICES, MONITORS, PROBES, STORES
from cockpit.core.spec import Plan
from cockpit.plan.kinds import Kinds
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems

SAMPLES: Final = Path(__file__).parents[2] / "sample_configs"
WHOLE: Final = sorted(path.name for path in SAMPLES.glob("*.toml") if path.name != "broken.toml")
"""The samples in which nothing is wrong."""

KINDS: Final = Kinds(
    flag_services={kind: entry.settings for kind, entry in FLAG_SERVICES.items()},
    probes={kind: entry.settings for kind, entry in PROBES.items()},
    monitors={kind: entry.settings for kind, entry in MONITORS.items()},
    announcers={kind: entry.settings for kind, entry in ANNOUNCERS.items()},
    stores={kind: entry.settings for kind, entry in STORES.items()},
)

SMALL: Final = """\
title = "Chat"
environment = "production"

[flag_service.main]
kind = "unleash"
url = "https://flags.example.com"
environment = "production"
token = { env = "READ_TOKEN" }

[monitor.prom]
kind = "prometheus"
url = "https://prometheus.example.com"

[backend.legacy]
title = "Old"
[[backend.legacy.probe]]
name = "health"
kind = "http"
url = "https://old.example.com/health"

[backend.new]
title = "New"
[[backend.new.probe]]
name = "health"
kind = "http"
url = "https://new.example.com/health"

[[flag]]
key = "chat_writes"
title = "Writes"
service = "main"
stages = [{ percent = 10, hold = "1m" }, { percent = 100 }]

[[flag]]
key = "chat_reads"
title = "Reads"
service = "main"
depends_on = ["chat_writes"]
stages = [{ percent = 50 }]
traffic = { monitor = "prom", legacy = "old", new = "new" }

[[signal]]
name = "errors"
title = "Errors"
monitor = "prom"
legacy = { bad = "old_bad", total = "old_all" }
new = { bad = "new_bad", total = "new_all" }

[rollback]
budget = "15m"
"""


def changed(old: str, new: str) -> str:
    """SMALL with one part replaced; the part must be there."""
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


def load_text(text: str, directory: Path) -> Plan:
    path = directory / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, KINDS)


def problems_of(text: str, directory: Path) -> list[str]:
    """What is said about a plan, each as `line: key: words`."""
    with pytest.raises(PlanProblems) as raised:
        load_text(text, directory)
    return [f"{problem.line}: {problem.key}: {problem.text}" for problem in raised.value.problems]
