"""OFREP over HTTP around flagd's own evaluation core. Run by an interpreter that has it: app.py PORT.

PUT /flags replaces the flag set; everything else is what an OFREP client asks. Nothing here decides.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, OpenFeatureError

CORE = FlagdCore()
_EVALUATE = "/ofrep/v1/evaluate/flags/"


def evaluate(key: str, context: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    who = EvaluationContext(context.get("targetingKey"), attributes)
    try:
        found = CORE.resolve_boolean_value(key, False, who)
    except FlagNotFoundError:
        return 404, {"key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": f"flag {key} not found"}
    except OpenFeatureError as error:
        return 400, {"key": key, "errorCode": error.error_code.value, "errorDetails": error.error_message}
    reason = str(getattr(found.reason, "value", found.reason))
    body = {"key": key, "reason": reason, "variant": found.variant, "metadata": dict(found.flag_metadata)}
    return 200, body if reason == "DISABLED" else {**body, "value": found.value}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"status": "ok"})

    def do_PUT(self) -> None:
        CORE.set_flags(self._body().decode())
        self._answer(200, {"ok": True})

    def do_POST(self) -> None:
        context = json.loads(self._body()).get("context", {})
        self._answer(*evaluate(self.path.removeprefix(_EVALUATE), context))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are many, and say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
