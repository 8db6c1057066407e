"""Addresses and requests as they leave: the same bytes as httpx makes of them, sooner."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.http_address import Address
from cockpit.adapters.http_headers import Headers
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_trouble import host_port, shown
from cockpit.adapters.url import InvalidUrl, Url

BASES = (
    "http://127.0.0.1:4242",
    "https://flags.test/unleash",
    "https://[::1]:8443/a/b/",
    "http://FLAGS.test:80",
)
PATHS = st.text(st.sampled_from("ab.Z0/?%2Ff:@~ ~\\\"'{}|^`[]<>#=&;,+*()!$-_é\n"), max_size=30)


@given(st.sampled_from(BASES), PATHS)
def test_a_path_leaves_as_httpx_makes_it(base: str, tail: str) -> None:
    url = httpx.URL(base)
    path = url.raw_path.decode("ascii").rstrip("/") + "/" + tail
    try:
        theirs = url.copy_with(raw_path=path.encode("ascii"))
    except (httpx.InvalidURL, UnicodeEncodeError):
        with pytest.raises(InvalidUrl):
            Address(Url.parse(base)).at(path)
        return
    ours = Address(Url.parse(base)).at(path)
    assert ours.target == theirs.raw_path == ours.url.target.encode()
    assert (ours.host, ours.netloc, ours.scheme) == (theirs.raw_host.decode(), theirs.netloc, theirs.scheme)
    assert ours.port == theirs.port or theirs.port is None
    assert (ours.shown, ours.host_port) == (shown(ours.url), host_port(ours.url))
    assert str(ours.url) == str(theirs)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [b"", b'{"on":false}'])
@pytest.mark.parametrize("said", [{}, {"Host": "other"}, {"content-length": "0"}])
def test_a_request_says_of_itself_what_httpx_says(method: str, body: bytes, said: Mapping[str, str]) -> None:
    address = Address(Url.parse("https://flags.test:8443/api?x=1"))
    wire = Headers({"Authorization": "opens-nothing", **said}).wire(lambda headers: headers)

    ours = Outgoing(method, address, wire, body, left_s=1.0)
    theirs = httpx.Request(method, str(address.url), headers=list(wire.raw), content=body or None)
    assert sorted(ours.headers) == sorted(theirs.headers.raw)
    assert (theirs.content, theirs.url.raw_path) == (ours.content, b"/api?x=1")
