"""The HTTP client against certificates that should not be trusted, and one that should."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from cockpit.adapters.base import RefusedByService
from cockpit.adapters.http import Cause, NoAnswer, Web
from cockpit.core.model import Fault
from cockpit.core.secret import Secret
from tests.adapters.probes.scripted import Reply, scripted
from tests.real.servers import program

_CONFIG = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = anything
x509_extensions = names
[anything]
commonName = supplied
[names]
subjectAltName = {names}
basicConstraints = critical,CA:TRUE
[req]
distinguished_name = who
prompt = no
[who]
CN = cockpit tests
"""


class Certificate:
    """A self-signed certificate, valid between two dates, for the names it lists."""

    def __init__(self, folder: Path, names: str, begins: str, ends: str) -> None:
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(_CONFIG.format(names=names))
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._run(
            folder, "req", "-new", *curve, "-keyout", "key.pem", "-out", "request.pem", "-config", "ca.cnf"
        )
        signing = ["-selfsign", "-keyfile", "key.pem", "-in", "request.pem", "-out", "certificate.pem"]
        dates = ["-startdate", begins, "-enddate", ends]
        self._run(folder, "ca", "-batch", "-config", "ca.cnf", "-notext", *signing, *dates)
        self.file = str(folder / "certificate.pem")
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.file, str(folder / "key.pem"))

    @staticmethod
    def _run(folder: Path, *arguments: str) -> None:
        subprocess.run([program("openssl"), *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("good")
    return Certificate(folder, "IP:127.0.0.1", "20250101000000Z", "20990101000000Z")


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("expired")
    return Certificate(folder, "IP:127.0.0.1", "20200101000000Z", "20200102000000Z")


@pytest.fixture(scope="module")
def misnamed(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("misnamed")
    return Certificate(folder, "DNS:elsewhere.invalid", "20250101000000Z", "20990101000000Z")


async def failure(web: Web, certificate: Certificate, ca_file: str | None) -> NoAnswer:
    async with scripted(lambda request: Reply(body=b"{}"), tls=certificate.server) as server:
        with pytest.raises(NoAnswer) as caught:
            await web.host(server.url, ca_file=ca_file).write("POST", "/off")
    assert server.requests == []
    assert (caught.value.cause, caught.value.sent) == (Cause.TLS, False)
    return caught.value


async def test_a_trusted_certificate(web: Web, good: Certificate) -> None:
    async with scripted(lambda request: Reply(body=b"{}"), tls=good.server) as server:
        answer = await web.host(server.url, ca_file=good.file).get("/")
    assert answer.certificate_ends_at is not None
    assert answer.certificate_ends_at.year == 2099


async def test_an_expired_certificate(web: Web, expired: Certificate) -> None:
    error = await failure(web, expired, expired.file)
    assert error.failure.title.endswith("certificate has expired")


async def test_a_certificate_for_another_name(web: Web, misnamed: Certificate) -> None:
    error = await failure(web, misnamed, misnamed.file)
    assert "certificate is not valid for '127.0.0.1'" in error.failure.title


async def test_an_unknown_authority(web: Web, good: Certificate) -> None:
    error = await failure(web, good, None)
    assert "self-signed certificate" in error.failure.title


async def test_the_authority_of_the_environment(
    web: Web, good: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", good.file)
    async with scripted(lambda request: Reply(body=b"{}"), tls=good.server) as server:
        assert (await web.host(server.url).get("/")).status == 200


async def test_a_port_that_speaks_plain_http(web: Web) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        with pytest.raises(NoAnswer) as caught:
            await web.host(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}").write("POST", "/off")
    assert (caught.value.cause, caught.value.sent) == (Cause.TLS, False)
    assert caught.value.failure.title.endswith("that port does not speak TLS")


async def test_never_from_https_to_http(web: Web, good: Certificate) -> None:
    async with scripted(lambda request: Reply(body=b"{}")) as plain:
        away = Reply(status=302, headers={"location": f"{plain.url}/x"})
        async with scripted(lambda request: away, tls=good.server) as server:
            with pytest.raises(RefusedByService, match="redirected from https to http") as caught:
                await web.host(server.url, ca_file=good.file).get("/")
    assert plain.requests == []
    assert caught.value.failure.fault is Fault.PLAN


async def test_a_credential_is_not_carried_from_http_to_https(web: Web, good: Certificate) -> None:
    async with scripted(lambda request: Reply(body=b"{}"), tls=good.server) as secure:
        away = Reply(status=301, headers={"location": f"{secure.url}/x"})
        async with scripted(lambda request: away) as server:
            host = web.host(server.url, headers={"Authorization": Secret("tok-1234567")}, ca_file=good.file)
            with pytest.raises(RefusedByService, match="credential was not sent"):
                await host.get("/")
            assert (await web.host(server.url, ca_file=good.file).get("/")).status == 200
    assert len(secure.requests) == 1
