"""Real small disks for tests: a tmpfs, and an ext4 in a file. Root alone can mount them.

Where that cannot be done the test is skipped and says why; with COCKPIT_REAL=require it fails instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(why: str) -> NoReturn:
    if os.environ.get("COCKPIT_REAL") == "require":
        pytest.fail(f"{why}; COCKPIT_REAL=require allows no gap")
    pytest.skip(why)


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[Path]:
    """Something mounted at a new directory, unmounted at the end whoever still has files open on it."""
    if os.geteuid() != 0:
        unavailable("only root can mount a disk")
    place.mkdir()
    told = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True)
    if told.returncode != 0:
        unavailable(f"no disk can be mounted here: {told.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def ext4_image(path: Path) -> Path:
    """A file of 8 MiB with an empty ext4 in it, to be mounted with `-o loop`."""
    make = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if make is None:
        unavailable("mkfs.ext4 is not installed")
    path.touch()
    os.truncate(path, 8 << 20)
    subprocess.run([make, "-q", "-F", str(path)], check=True, capture_output=True)
    return path
