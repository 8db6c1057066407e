"""`cockpit report`: the record of a flight, from its journal alone. The plan is not even read."""

from __future__ import annotations

import json
from pathlib import Path

from cockpit.cli.journaling import journal_to_follow
from cockpit.cli.output import say, say_error
from cockpit.core.clean import clean_text

UNKNOWN = 3


def run_report(path: Path, *, as_json: bool) -> int:
    from cockpit.core.report import as_json as to_json
    from cockpit.core.report import report
    from cockpit.core.report_markdown import markdown
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.journal_port import JournalFailure

    try:
        journal = journal_to_follow(path)
        try:
            events = journal.read()
            breaks = [str(each) for each in journal.verify()]
        finally:
            journal.close()
    except JournalFailure as failure:
        say_error(str(failure))
        return UNKNOWN
    if not events:
        say_error(
            f"there is no journal of {clean_text(path)} for this user on this host: never flown from here"
        )
        return UNKNOWN
    for each in breaks:
        say_error(f"warning: the journal is not as it was written: {each}")
    value = report(events, made_at=SystemClock().now(), breaks=breaks)
    say(json.dumps(to_json(value), ensure_ascii=False, indent=2) if as_json else markdown(value).rstrip())
    return 0
