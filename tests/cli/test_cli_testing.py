"""`tallybook testing`: look-alikes of the providers and of Apify, as commands."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.console import SCRIPT, environment

CHAT = json.dumps({"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}]})


class Imitation:
    """The command while it answers. *told*: what it has said so far, on stderr."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.told = ""
        while "/log" not in self.told:
            line = (process.stderr or pytest.fail("no stderr")).readline()
            assert line, "it ended"
            self.told += line
        self.port = int(re.findall(r"http://127\.0\.0\.1:(\d+)", self.told)[0])

    def ask(self, method: str = "POST", path: str = "/v1/chat/completions", body: str = CHAT) -> tuple[int, str]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=20)
        line.request(method, path, body, {"Authorization": "Bearer anything"})
        response = line.getresponse()
        said = response.status, response.read().decode()
        line.close()
        return said

    def ends(self, by: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=30)
        assert err == ""
        return self.process.returncode, out


@contextmanager
def imitating(home: Path, *args: str, what: str = "model") -> Iterator[Imitation]:
    process = subprocess.Popen(
        [SCRIPT, "testing", what, "--port", "0", *args],
        cwd=home,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Imitation(process)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop_then_prints_the_bill(by: signal.Signals, home: Path) -> None:
    with imitating(home) as model:
        assert model.ask()[0] == 200
        assert json.loads(model.ask("GET", "/bill")[1])["requests"] == 1
        code, out = model.ends(by)
    assert code == 0
    assert out.splitlines()[0].split() == ["requests", "billed", "1"]
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["2", "0", "3"]


def test_it_says_how_to_point_tallybook_at_it(home: Path) -> None:
    with imitating(home) as model:
        assert "export TALLYBOOK_SCORER__MODEL=google:gemini-2.5-flash\n" in model.told
        assert f"export TALLYBOOK_SCORER__BASE_URL=http://127.0.0.1:{model.port}\n" in model.told
        assert "export TALLYBOOK_SCORER__API_KEY=anything\n" in model.told


def test_faults_befall_requests_by_chance(home: Path) -> None:
    with imitating(home, "--fault", "unavailable=0.5", "--fault", "not_found=0.5", "--json") as model:
        statuses = {model.ask()[0] for _ in range(30)}
        code, out = model.ends(signal.SIGINT)
    assert statuses == {503, 404}
    assert (code, json.loads(out)["requests"]) == (0, 0)


def test_who_is_cut_off_at_the_end_pays_too(home: Path) -> None:
    request = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(CHAT)}\r\n\r\n{CHAT}"
    with (
        imitating(home, "--latency-ms", "30000", "--json") as model,
        socket.create_connection(("127.0.0.1", model.port)) as line,
    ):
        line.sendall(request.encode())
        while not model.ask("GET", "/log")[1]:
            pass
        code, out = model.ends(signal.SIGTERM)
    assert (code, json.loads(out)["requests"]) == (0, 1)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--fault", "nonsense=0.1"], "'nonsense' is none of the faults malformed, wrong_shape, "),
        (["--fault", "ok=0.1"], "'ok' is none of the faults"),
        (["--fault", "reset"], "--fault takes NAME=SHARE, like reset=0.05"),
        (["--fault", "reset=often"], "--fault takes NAME=SHARE, like reset=0.05"),
        (["--fault", "reset=2"], "the share of reset must be from 0 to 1, not 2"),
        (["--fault", "reset=0.6", "--fault", "slow=0.6"], "the shares come to 1.2; together they can be 1 at most"),
    ],
)
def test_a_fault_that_is_none_is_wrong_usage(args: list[str], expected: str, cli: Cli) -> None:
    said = cli("testing", "model", *args)
    assert said.code == 2
    assert said.error.startswith(f"invalid value for --fault: {expected}")


def test_a_port_that_is_taken_is_told_in_one_line(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = cli("testing", "model", "--port", str(port))
    assert said.code == 1
    assert said.error == f"port {port} cannot be had: Address already in use; choose another with --port"


# -- Apify -------------------------------------------------------------------------------------------------------------

RUN = json.dumps({"targetUrls": ["https://linkedin.test/in/ada-abara-004"], "maxPosts": 3})


def test_apify_runs_actors_until_it_is_told_to_stop_then_prints_the_bill(home: Path) -> None:
    with imitating(home, "--latency-ms", "0", what="apify") as server:
        assert f"export TALLYBOOK_APIFY__API_URL=http://127.0.0.1:{server.port}\n" in server.told
        assert "export TALLYBOOK_APIFY__TOKEN=anything\n" in server.told
        assert "export TALLYBOOK_APIFY__ACTOR_ID=look-alike/posts\n" in server.told
        assert server.ask("POST", "/v2/acts/look-alike~posts/runs", RUN)[0] == 201
        while json.loads(server.ask("GET", "/bill")[1])["items"] != 3:
            pass
        code, out = server.ends(signal.SIGINT)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["runs", "1"],
        ["items", "3"],
        ["billed", "$0.0065"],
        ["deliveries", "0"],
    ]


def test_faults_befall_requests_to_apify_by_chance(home: Path) -> None:
    with imitating(home, "--fault", "server_error=1", "--fault", "lost_delivery=1", "--json", what="apify") as server:
        assert server.ask("POST", "/v2/acts/look-alike~posts/runs", RUN)[0] == 500
        code, out = server.ends(signal.SIGTERM)
    assert (code, json.loads(out)) == (0, {"runs": 0, "items": 0, "usd": "0", "deliveries": 0})


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            ["--fault", "nonsense=0.1"],
            "'nonsense' is none of the faults rate_limit, server_error, bad_gateway, reset, lost_answer, slow, "
            "failed_run, timed_out_run, aborted_run, lost_delivery, doubled_delivery, delayed_delivery",
        ),
        (
            ["--fault", "lost_delivery=0.6", "--fault", "doubled_delivery=0.6"],
            "the shares come to 1.2; together they can be 1 at most",
        ),
    ],
)
def test_a_fault_that_apify_does_not_have_is_wrong_usage(args: list[str], expected: str, cli: Cli) -> None:
    said = cli("testing", "apify", *args)
    assert said.code == 2
    assert said.error.startswith(f"invalid value for --fault: {expected}")
