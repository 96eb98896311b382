"""The connections of the look-alike: many at once, quick ones, broken ones, and the end of all."""

import json
import select
import socket
import struct
import threading
import time
from http.client import HTTPException

import pytest

from tallybook.testing.lookalike_http import Exchange, as_json
from tallybook.testing.model_server import Fault, ModelServer
from tests.testing.asking import ONE, chat, connection, heard_on, judged, port_of, raw, send, until

# -- clients that go --------------------------------------------------------------------------------------------------


def test_a_client_that_has_hung_up_is_billed_and_not_delivered_to() -> None:
    with ModelServer(latency_s=30.0) as server:
        line = connection(server)
        line.request("POST", "/v1/chat/completions", json.dumps(chat(ONE)))
        until(lambda: len(server.log) == 1)
        assert server.log[0].answered_s is None
        line.close()
        assert server.wait_until_idle()
        assert (server.log[0].status, server.log[0].delivered, server.bill.requests) == (200, False, 1)


def test_a_client_that_breaks_off_is_noticed_like_one_that_hangs_up() -> None:
    with ModelServer(latency_s=30.0) as server:
        line = connection(server)
        line.request("POST", "/v1/chat/completions", json.dumps(chat(ONE)))
        until(lambda: len(server.log) == 1)
        break_off(line.sock)
        assert server.wait_until_idle()
        assert (server.log[0].status, server.log[0].delivered, server.bill.requests) == (200, False, 1)


def test_a_client_that_breaks_off_in_the_middle_of_the_answer_has_not_got_it(server: ModelServer) -> None:
    """The answer is too long to fit into what the system holds for a client that does not read."""
    rubric = {"attributes": [{"id": "A" * 1_000_000, "points": 1}]}
    system = f"<rubric>\n{json.dumps(rubric)}\n</rubric>"
    items = [{"id": f"i{number}", "about": "x"} for number in range(12)]
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", port_of(server)))
    line.sendall(raw(chat(items, system=system)))
    assert line.recv(15) == b"HTTP/1.1 200 OK"
    break_off(line)
    until(lambda: not server.log[0].delivered)
    assert (server.log[0].status, server.bill.requests) == (200, 1)


def break_off(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def test_a_connection_that_breaks_ends_with_a_reset(server: ModelServer) -> None:
    server.then(Fault.RESET)
    with pytest.raises(ConnectionResetError) as raised:
        send(server, chat(ONE))
    assert raised.type is ConnectionResetError  # and not http.client's word for an end without an answer
    assert send(server, chat(ONE)).status == 200


def test_waiting_for_quiet_says_when_there_is_none() -> None:
    with ModelServer(latency_s=30.0) as server:
        line = connection(server)
        line.request("POST", "/v1/chat/completions", json.dumps(chat(ONE)))
        until(lambda: len(server.log) == 1)
        assert not server.wait_until_idle(0.05)
        line.close()


def test_a_client_that_leaves_in_the_middle_of_a_word_is_forgotten(server: ModelServer) -> None:
    with socket.create_connection(("127.0.0.1", port_of(server))) as line:
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    assert send(server, chat(ONE)).status == 200
    assert len(server.log) == 1


def test_a_length_that_is_none_is_no_body(server: ModelServer) -> None:
    with socket.create_connection(("127.0.0.1", port_of(server))) as line:
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")


# -- many at once, and quickly -----------------------------------------------------------------------------------------


def test_sixty_four_ask_at_once() -> None:
    """Connections first, so that nobody comes after the first has gone."""
    begun = time.monotonic()
    with ModelServer(latency_s=1.0) as server:
        lines = [connection(server) for _ in range(64)]
        for line in lines:
            line.connect()
        for number, line in enumerate(lines):
            line.request("POST", "/v1/chat/completions", json.dumps(chat([{"id": f"i{number}", "about": "x"}])))
        heard = [heard_on(line) for line in lines]
    assert {each.status for each in heard} == {200}
    assert [judged(each)["items"][0]["id"] for each in heard] == [f"i{number}" for number in range(64)]
    assert server.most_at_once == 64
    assert time.monotonic() - begun < 10
    assert [record.number for record in server.log] == list(range(1, 65))


def test_one_after_the_other_is_never_two_at_once(server: ModelServer) -> None:
    line = connection(server)
    for _ in range(5):
        send(line, chat(ONE))
    assert server.most_at_once == 1
    line.close()


def test_a_connection_serves_many_requests_and_each_answer_comes_in_one_piece(server: ModelServer) -> None:
    """A second piece would be held back until the client acknowledges the first, which takes it 40 ms."""
    with socket.create_connection(("127.0.0.1", port_of(server))) as line:
        for _ in range(100):
            line.sendall(raw(chat(ONE)))
            head, _, body = line.recv(65_536).partition(b"\r\n\r\n")
            assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert server.bill.requests == 100


def test_what_is_to_be_sent_is_not_held_back(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []

    def looks(exchange: Exchange) -> None:
        found.append(exchange.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        exchange.answer(as_json({}))

    monkeypatch.setattr(server._listener, "serve", looks)
    send(server, chat(ONE))
    assert found == [1]


def test_every_answer_takes_the_latency(server: ModelServer) -> None:
    with ModelServer(latency_s=0.1) as slow:
        begun = time.monotonic()
        send(slow, chat(ONE))
        assert time.monotonic() - begun >= 0.1
        assert (slow.log[0].answered_s or 0) - slow.log[0].arrived_s >= 0.1


def test_a_request_sent_ahead_does_not_shorten_the_latency() -> None:
    with ModelServer(latency_s=0.1) as slow, socket.create_connection(("127.0.0.1", port_of(slow))) as line:
        line.sendall(raw(chat(ONE)))
        until(lambda: len(slow.log) == 1)
        line.sendall(raw(chat(ONE)))
        until(lambda: slow.bill.requests == 2)
        assert all((each.answered_s or 0) - each.arrived_s >= 0.09 and each.delivered for each in slow.log)


# -- beginning and end -------------------------------------------------------------------------------------------------


def test_nobody_but_this_machine_can_ask(server: ModelServer) -> None:
    """All of 127.0.0.0/8 is this machine; who listened everywhere would answer there."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port_of(server)), timeout=5)


def test_the_end_ends_every_connection_and_does_not_wait_for_answers() -> None:
    begun = time.monotonic()
    with ModelServer(latency_s=30.0) as server:
        idle, waiting = connection(server), connection(server)
        idle.connect()
        waiting.request("POST", "/v1/chat/completions", json.dumps(chat(ONE)))
        until(lambda: len(server.log) == 1)
    assert server.wait_until_idle()
    assert select.select([idle.sock], [], [], 5)[0]
    assert idle.sock.recv(1) == b""
    with pytest.raises((HTTPException, OSError)):
        waiting.getresponse()
    with pytest.raises(OSError, match="refused"):
        connection(server).connect()
    assert (server.log[0].delivered, server.bill.requests) == (False, 1)
    assert time.monotonic() - begun < 10
    idle.close()


def test_a_server_that_never_served_can_be_closed() -> None:
    ModelServer().close()


def test_a_server_can_serve_in_the_thread_that_asks_for_it() -> None:
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    assert send(server, chat(ONE)).status == 200
    server.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_port_that_is_taken_is_an_error(server: ModelServer) -> None:
    with pytest.raises(OSError, match="in use"):
        ModelServer(port=port_of(server))


def test_a_rule_that_breaks_ends_its_connection_and_says_so(
    server: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.rule(Fault.OK, lambda question: bool(1 // len(question.texts[9:])), times=1)
    with pytest.raises((HTTPException, OSError)):
        send(server, chat(ONE))
    assert server.wait_until_idle()
    until(lambda: "ZeroDivisionError" in capfd.readouterr().err)


def test_each_provider_is_told_its_own_address(server: ModelServer) -> None:
    assert server.google_url == server.anthropic_url == server.url == f"http://127.0.0.1:{port_of(server)}"
    assert server.openai_url == f"{server.url}/v1"
