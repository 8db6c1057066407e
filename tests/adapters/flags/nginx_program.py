"""A program that does as nginx 1.22 where a lever can see it: `-t`, `-s reload`, a master and its workers.

It is run by itself and knows nothing of the cockpit. Sentences and exit codes are the real one's;
`test_nginx_double` holds both beside each other. A file of one of these names in its folder is a fault:

    hold-test     `-t` does not end while it is there
    hold-reload   the master does not get to a reload while it is there
    no-reload     `-s reload` is refused (what it holds is the complaint)
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MASTER, WORKER = "nginx: master process", "nginx: worker process"
_TOKEN = re.compile(r"""\s+|\#[^\n]*|("(?:[^"\\]|\\.)*"|[{};]|[^\s{};]+)""")
_PERCENT = re.compile(r"[0-9]+(?:\.[0-9]{1,2})?%")
_SIMPLE = frozenset(
    {"access_log", "daemon", "error_log", "listen", "pid", "return", "worker_connections", "worker_processes"}
    | {f"{each}_temp_path" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")}
)
_BLOCKS = frozenset({"events", "http", "server", "location"})
_EXPECTED = {True: '";" or "}"', False: '"}"'}
_TICK_S = 0.005

Token = tuple[str, int]


class RefusedConfiguration(Exception):
    """With what nginx says, after "[emerg] "."""


def check(path: Path, *, named_by: str = "") -> None:
    """Raises RefusedConfiguration."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        said = f'open() "{path}" failed ({error.errno}: {error.strerror})'
        raise RefusedConfiguration(f"{said}{named_by}") from None
    tokens = _tokens(text)
    _block(path, tokens, depth=0)


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found[1]:
            yield found[1], line
        line += found[0].count("\n")
    yield "", line


def _block(path: Path, tokens: Iterator[Token], *, depth: int) -> None:
    words: list[str] = []
    for text, line in tokens:
        here = f" in {path}:{line}"
        if text == "" and (words or depth):
            raise RefusedConfiguration(f"unexpected end of file, expecting {_EXPECTED[bool(words)]}{here}")
        if text == "}" and (words or not depth):
            raise RefusedConfiguration(f'unexpected "}}"{here}')
        if text in ("", "}"):
            return
        if text == "{":
            _open(path, words, tokens, here, depth)
            words = []
        elif text == ";":
            _simple(path, words, here)
            words = []
        else:
            words.append(text)


def _open(path: Path, words: list[str], tokens: Iterator[Token], here: str, depth: int) -> None:
    if words[0] == "split_clients":
        if len(words) != 3:
            raise RefusedConfiguration(f'invalid number of arguments in "split_clients" directive{here}')
        if not words[2].startswith("$"):
            raise RefusedConfiguration(f'invalid variable name "{words[2]}"{here}')
        _shares(path, tokens)
    elif words[0] in _BLOCKS:
        _block(path, tokens, depth=depth + 1)
    else:
        raise RefusedConfiguration(f'unknown directive "{words[0]}"{here}')


def _shares(path: Path, tokens: Iterator[Token]) -> None:
    words: list[str] = []
    total = 0
    for text, line in tokens:
        here = f" in {path}:{line}"
        if text == "":
            raise RefusedConfiguration(f"unexpected end of file, expecting {_EXPECTED[bool(words)]}{here}")
        if text == "}" and words:
            raise RefusedConfiguration(f'unexpected "}}"{here}')
        if text == "}":
            break
        if text != ";":
            words.append(text)
            continue
        share, words = words[0], []
        if share != "*":
            if not _PERCENT.fullmatch(share) or float(share[:-1]) == 0:
                raise RefusedConfiguration(f'invalid percent value "{share}"{here}')
            total += round(float(share[:-1]) * 100)
    if total > 10_000:
        raise RefusedConfiguration(f"percent total is greater than 100%{here}")


def _simple(path: Path, words: list[str], here: str) -> None:
    if words[0] == "include":
        check(path.parent / words[1], named_by=here)
    elif words[0] not in _SIMPLE:
        raise RefusedConfiguration(f'unknown directive "{words[0]}"{here}')


def test(configuration: Path) -> int:
    _held(configuration.parent / "hold-test")
    try:
        check(configuration)
    except RefusedConfiguration as refused:
        _say(f"nginx: [emerg] {refused}")
        _say(f"nginx: configuration file {configuration} test failed")
        return 1
    _say(f"nginx: the configuration file {configuration} syntax is ok")
    _say(f"nginx: configuration file {configuration} test is successful")
    return 0


def reload(configuration: Path) -> int:
    """The configuration is read first, then the master is told; what becomes of it nobody is told."""
    fault, pid_file = configuration.parent / "no-reload", configuration.parent / "nginx.pid"
    try:
        check(configuration)
    except RefusedConfiguration as refused:
        _say(f"nginx: [emerg] {refused}")
        return 1
    if fault.exists():
        _say(f"nginx: {fault.read_text()}")
        return 1
    text = pid_file.read_text().strip() if pid_file.exists() else ""
    if not text.isdigit():
        _say(f'nginx: [error] invalid PID number "{text}" in "{pid_file}"')
        return 1
    try:
        os.kill(int(text), signal.SIGHUP)
    except OSError as error:
        said = f"kill({text}, 1) failed ({error.errno}: {error.strerror})"
        _say(f"nginx: [alert] {said}")
        return 1
    return 0


def master(configuration: Path) -> int:
    """Until SIGTERM. A reload with a bad configuration goes on with the workers that are there."""
    heard = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    folder = configuration.parent
    workers = _workers()
    (folder / "nginx.pid").write_text(f"{os.getpid()}\n")
    while signal.sigwait(heard) == signal.SIGHUP:
        _held(folder / "hold-reload")
        try:
            check(configuration)
        except RefusedConfiguration as refused:
            with (folder / "error.log").open("a") as log:
                log.write(f"[emerg] {refused}\n")
            continue
        old, workers = workers, _workers()
        _end(old)
    _end(workers)
    (folder / "nginx.pid").unlink()
    return 0


def _workers() -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen([WORKER, "86400"], executable="/bin/sleep") for _ in range(2)]


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.kill()
        worker.wait()


def _held(file: Path) -> None:
    while file.exists():
        time.sleep(_TICK_S)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main(words: list[str]) -> int:
    configuration = Path(words[words.index("-p") + 1]) / words[words.index("-c") + 1]
    if "-t" in words:
        return test(configuration)
    return reload(configuration) if "-s" in words else master(configuration)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
