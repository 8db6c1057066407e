"""Builds the wheel, installs it into a new environment and runs it from there: what a user gets.

`python -m tests.wheel`; exits 1 with the reason when something is missing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECK = """
from importlib.resources import files
from cockpit.cli.plans import load_plan
from cockpit.cli.practising import sample_plan
from cockpit.face.themes import themes_dir
packed = files("cockpit")
assert (packed / "_sample_configs" / "chat-sync.toml").is_file(), "no sample plans in the wheel"
assert len(list(themes_dir().glob("*.toml"))) >= 4, "no themes in the wheel"
assert "_themes" in str(themes_dir()), f"themes come from {themes_dir()}, not from the wheel"
assert load_plan(sample_plan("chat-sync.toml")).flags
print("the wheel carries its themes and samples")
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(ROOT))
        (wheel,) = place.glob("*.whl")
        venv.create(place / "env", with_pip=True)
        python = str(place / "env" / "bin" / "python")
        run(python, "-m", "pip", "install", "-q", "-c", str(ROOT / "requirements.lock"), str(wheel))
        run(python, "-c", CHECK, cwd=place)
        run(str(place / "env" / "bin" / "cockpit"), "--version", cwd=place)
    return 0


def run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command[:4])}")


if __name__ == "__main__":
    sys.exit(main())
