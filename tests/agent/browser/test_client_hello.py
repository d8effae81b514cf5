"""The first message of a TLS connection, as Python's own client writes it."""

import asyncio
import ssl

import pytest

from viewfinder.agent.browser.client_hello import is_for_socket, read_hello


def hello(*protocols: str) -> bytes:
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(coming, going, server_hostname="bank.test").do_handshake()
    return going.read()


@pytest.mark.parametrize(
    ("protocols", "is_socket"), [((), False), (("h2", "http/1.1"), False), (("http/1.1",), True), (("h2",), False)]
)
def test_a_socket_offers_no_other_protocol(protocols: tuple[str, ...], is_socket: bool) -> None:
    assert is_for_socket(hello(*protocols)) is is_socket


def test_a_hello_in_pieces_is_read_whole_and_one_that_is_cut_is_refused() -> None:
    whole = hello("http/1.1")

    async def read(upto: int) -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(whole[3:upto])
        reader.feed_eof()
        return await read_hello(reader, whole[:3])

    assert asyncio.run(read(len(whole))) == whole
    for upto in range(3, len(whole), 40):
        with pytest.raises(ValueError, match="ended"):
            asyncio.run(read(upto))


def test_what_is_no_hello_is_refused_or_no_socket() -> None:
    whole = hello("http/1.1")
    for cut in range(5, len(whole) - 1):
        try:
            assert not is_for_socket(whole[:cut]) or cut > whole.index(b"http/1.1")
        except ValueError:
            continue
