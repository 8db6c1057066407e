"""Addresses are taken apart and put together as httpx does it: held to that by whatever comes to mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cockpit.adapters.url import InvalidUrl, Url

Parts = tuple[object, ...]

PIECES = st.sampled_from(
    [
        *"aZ09-._~:/?#[]@!$&'()*+,;=%^|\\`{}<>\" \t\n\x7f\x80é☃",
        *(
            "//",
            "://",
            "http",
            "https",
            "%41",
            "%zz",
            "..",
            "/../",
            "/./",
            ":80",
            ":443",
            ":8080",
            "user:pw@",
        ),
        *("[::1]", "127.0.0.1", "1.2.3.999", "xn--bcher-kva", "bücher"),
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)
ADDRESSES = st.builds(
    "{}://{}{}".format, st.sampled_from(["http", "https", "HTTP", "ftp", "ws"]), TEXTS, TEXTS
)
BASE = "https://h.example:8443/a/b/c?x=1"


def theirs(made: Callable[[], httpx.URL]) -> Parts | None:
    """None where it is no address."""
    try:
        url = made()
    except (httpx.InvalidURL, ValueError):
        return None
    where = (url.scheme, url.userinfo.decode(), url.raw_host.decode(), url.port, url.netloc.decode())
    return (*where, url.raw_path.decode(), url.fragment, str(url))


def ours(made: Callable[[], Url]) -> Parts | None:
    try:
        url = made()
    except ValueError:
        return None
    where = (url.scheme, url.userinfo, url.host, url.port, url.netloc)
    return (*where, url.target, unquote(url.fragment or ""), str(url))


@given(TEXTS | ADDRESSES)
@example("http://[")
@example("http://[]")
@example("http://[fe80::1%25eth0]:1/")
@example("http://h:65536")
@example("http://h:-1")
@example("http://h:٣")
@example("//h/x")
@example("http:x")
def test_an_address_has_the_same_parts(text: str) -> None:
    assert ours(lambda: Url.parse(text)) == theirs(lambda: httpx.URL(text))


@given(TEXTS | ADDRESSES)
@example("//user:pw@elsewhere/../x#y")
@example("?")
@example("")
def test_a_reference_leads_to_the_same_place(text: str) -> None:
    assert ours(lambda: replace(Url.parse(BASE).join(text), userinfo="", fragment=None)) == theirs(
        lambda: httpx.URL(BASE).join(text).copy_with(userinfo=b"", fragment=None)
    )


@given(TEXTS)
def test_another_path_is_the_same(text: str) -> None:
    target = f"/a{text}"
    if not target.isascii():
        return
    assert ours(lambda: Url.parse(BASE).with_target(target)) == theirs(
        lambda: httpx.URL(BASE).copy_with(raw_path=target.encode())
    )


@given(
    st.dictionaries(TEXTS, TEXTS, max_size=3)
    | st.lists(st.tuples(TEXTS, TEXTS), max_size=3, unique_by=lambda pair: pair[0])
)
def test_a_query_is_the_same(params: dict[str, str] | Sequence[tuple[str, str]]) -> None:
    assert ours(lambda: Url.parse(BASE).with_params(params)) == theirs(
        lambda: httpx.URL(BASE).copy_with(params=params if isinstance(params, dict) else list(params))
    )


def test_what_is_asked_twice_stays_in_its_order() -> None:
    url = Url.parse("http://h/").with_params([("m", "1"), ("n", "2"), ("m", "3")])
    assert url.target == "/?m=1&n=2&m=3"


def test_a_name_is_shown_in_its_own_letters() -> None:
    assert Url.parse("http://bücher.example/").host == "xn--bcher-kva.example"
    assert Url.parse("http://xn--bcher-kva.example/").shown_host == "bücher.example"


def test_no_error_quotes_the_address() -> None:
    with pytest.raises(InvalidUrl) as caught:
        Url.parse("http://h:hidden/")
    assert "hidden" not in str(caught.value)
