"""A small health service, run by uvicorn for tests: `uvicorn tests.real.http_app:app`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

sick = False
flags: dict[str, int] = {"percent": 10, "version": 1}


async def health(request: Request) -> Response:
    status = "error" if sick else "ok"
    return JSONResponse({"status": status, "db": {"up": not sick}}, 503 if sick else 200)


async def make(request: Request) -> Response:
    """POST /make/sick or /make/well."""
    global sick
    sick = request.path_params["state"] == "sick"
    return PlainTextResponse("done")


async def guarded(request: Request) -> Response:
    if request.headers.get("authorization") == "Bearer token-3f9a-throwaway-secret":
        return JSONResponse({"status": "ok"})
    return JSONResponse({"detail": "Not authenticated"}, 401)


async def fails(request: Request) -> Response:
    raise RuntimeError("as an unhandled exception of the service")


async def flag(request: Request) -> Response:
    """GET tells the flag with an ETag, PUT takes one that is still wanted."""
    if request.headers.get("authorization") != "Bearer token-3f9a-throwaway-secret":
        return JSONResponse({"detail": "Not authenticated"}, 401)
    etag = f'"{flags["version"]}"'
    if request.method == "PUT":
        if request.headers.get("if-match") != etag:
            return JSONResponse({"detail": "Precondition Failed"}, 412)
        asked = await request.json()
        flags.update(percent=asked["percent"], version=flags["version"] + 1)
    return JSONResponse({"percent": flags["percent"]}, headers={"etag": f'"{flags["version"]}"'})


async def moved(request: Request) -> Response:
    return RedirectResponse("/health")


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/make/{state}", make, methods=["POST"]),
        Route("/guarded", guarded),
        Route("/fails", fails),
        Route("/moved", moved),
        Route("/flags/{key}", flag, methods=["GET", "PUT"]),
    ]
)
