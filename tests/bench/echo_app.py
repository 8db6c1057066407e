"""The least that can echo a key: reads a byte from the terminal and writes the count of them.

python -m tests.bench.echo_app
"""

from __future__ import annotations

import os
import termios
import tty
from typing import Final

READY: Final = "nothing but a loop"


def main() -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    os.write(1, READY.encode())
    keys = 0
    try:
        while os.read(0, 1) not in (b"", b"q"):
            keys += 1
            os.write(1, f"\rkey {keys:06d}            ".encode())
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    main()
