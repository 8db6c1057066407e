"""The practice world on real ports: one HTTP server per service, on 127.0.0.1 only.

    with PracticeServer(plan, seed=1, clock=clock) as practice:
        flown = practice.rehome(plan)          # the same plan, pointed here
        practice.world.inject(make_fault("error_burst"))

All servers run in one background thread with an event loop of its own. Leaving the context stops them,
closes every socket and joins the thread; nothing stays behind.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import field
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.spec import Plan
from cockpit.practice import rehome as plans
from cockpit.practice.convex import convex_app
from cockpit.practice.faults import Service
from cockpit.practice.gate import Gate, refused
from cockpit.practice.http_json import http_json_app
from cockpit.practice.plain import plain_app
from cockpit.practice.prometheus import metrics_app, prometheus_app
from cockpit.practice.tokens import practice_secret
from cockpit.practice.unleash import unleash_app
from cockpit.practice.world import DEFAULT_RPS, ShareSource, World

HOST: Final = "127.0.0.1"
_LOOK_S: Final = 0.02
_START_LIMIT_S: Final = 20.0
_KEPT_HOOKS: Final = 1000


class PracticeServer:
    """Starts on entering. `world` is the simulation, `hooks` the bodies that webhooks were sent.

    share_source: follow an outside flag service instead of the own flags; the world then makes traffic
    and counters only.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int,
        clock: Clock,
        rps: float = DEFAULT_RPS,
        share_source: ShareSource | None = None,
    ) -> None:
        self.world = World(
            flags=plans.seeds(plan, rps=rps), seed=seed, clock=clock, share_source=share_source
        )
        self.hooks: list[bytes] = []
        self._needs = plans.needs(plan)
        self._ports: dict[Service, int] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None

    @property
    def urls(self) -> Mapping[str, str]:
        """Base address by service name: unleash, http_json, prometheus, convex, legacy, new,
        metrics, hooks."""
        return {service: f"http://{HOST}:{port}" for service, port in self._ports.items()}

    def rehome(self, plan: Plan, stand_ins: plans.StandIns | None = None) -> Plan:
        """See `rehome.rehome`."""
        return plans.rehome(plan, self.urls, stand_ins)

    def secret(self, ref: SecretRef) -> Secret:
        """A throwaway secret for any reference; see `tokens.practice_secret`. Nothing real is read."""
        if ref.env == plans.HOOK_VARIABLE:
            return Secret(f"{self.urls[Service.HOOKS]}/hook")
        return practice_secret(ref)

    def __enter__(self) -> Self:
        ready: Future[None] = Future()
        sockets = {service: _listening(0) for service in Service}
        self._ports = {service: each.getsockname()[1] for service, each in sockets.items()}
        self._thread = threading.Thread(
            target=self._run, args=(sockets, ready), name="practice world", daemon=True
        )
        self._thread.start()
        ready.result(timeout=_START_LIMIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._closing is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
        if self._thread is not None:
            self._thread.join()

    def _run(self, sockets: Mapping[Service, socket.socket], ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(sockets, ready))
        except BaseException as trouble:
            if ready.done():
                raise
            ready.set_exception(trouble)

    async def _serve(self, sockets: Mapping[Service, socket.socket], ready: Future[None]) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        faces = [
            Face(
                service,
                Gate(
                    app,
                    world=self.world,
                    service=service,
                    closing=self._closing,
                    flag_functions=self._needs.table.paths,
                ),
                self._ports[service],
            )
            for service, app in self._apps().items()
        ]
        try:
            await asyncio.gather(*(face.open(sockets[face.service]) for face in faces))
            ready.set_result(None)
            while not self._closing.is_set():
                await asyncio.gather(*(face.obey(self.world) for face in faces))
                await asyncio.sleep(_LOOK_S)
        finally:
            self._closing.set()
            await asyncio.gather(*(face.close() for face in faces))

    def _apps(self) -> dict[Service, ASGIApp]:
        world, wanted = self.world, self._needs
        target = f"{HOST}:{self._ports[Service.METRICS]}"
        return {
            Service.UNLEASH: unleash_app(world),
            Service.HTTP_JSON: http_json_app(world, wanted.endpoints),
            Service.PROMETHEUS: prometheus_app(world, target=target),
            Service.CONVEX: convex_app(
                world, instance=wanted.instance, functions=wanted.functions, table=wanted.table
            ),
            Service.LEGACY: plain_app(world, Side.LEGACY, pages=wanted.pages.get(Side.LEGACY, ())),
            Service.NEW: plain_app(world, Side.NEW, pages=wanted.pages.get(Side.NEW, ())),
            Service.METRICS: metrics_app(world),
            Service.HOOKS: self._hooks_app(),
        }

    def _hooks_app(self) -> Starlette:
        async def take(request: Request) -> Response:
            if len(self.hooks) < _KEPT_HOOKS:
                self.hooks.append(await request.body())
            return Response(status_code=204)

        return Starlette(routes=[Route("/hook", take, methods=["POST"])])


class _Server(uvicorn.Server):
    """Tells when it accepts connections, and ends when told to instead of at its next look around."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ending.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@dataclass(slots=True)
class Face:
    """One HTTP server that can close its port and open it again, so that connections are refused."""

    service: Service
    app: ASGIApp
    port: int
    _server: _Server | None = field(default=None)
    _task: asyncio.Task[None] | None = field(default=None)

    async def obey(self, world: World) -> None:
        """Be open or closed as the world's faults say."""
        closed = refused(world, self.service)
        if closed and self._server is not None:
            await self.close()
        elif not closed and self._server is None:
            await self.open(_listening(self.port))

    async def open(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self.app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            http="h11",
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=15,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self._server.listening.wait()

    async def close(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.ending.set()
        await self._task
        self._server = self._task = None


def _listening(port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle's algorithm off; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener
