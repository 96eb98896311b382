"""What goes to stdout and what to stderr, and what happens when they are odd, full or gone."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tallybook.cli import output
from tests.cli.console import SCRIPT, console, environment
from tests.cli.inside import inside


def test_facts_go_to_stdout_and_remarks_to_stderr(home: Path) -> None:
    said = console("client", "list", cwd=home)
    assert (said.returncode, said.stdout) == (0, "")
    assert "There are no clients yet" in said.stderr
    assert inside("client", "list", "--json", cwd=home).stderr == ""


def test_a_pipe_that_is_closed_early_is_no_error(demo_home: Path) -> None:
    command = f"'{SCRIPT}' lead list acme-law --limit 1000 --json | head -n 1; echo ${{PIPESTATUS[0]}}"
    said = subprocess.run(
        ["bash", "-c", command], cwd=demo_home, env=environment(), capture_output=True, text=True, check=True
    )
    first, code = said.stdout.splitlines()
    assert first == "{"
    assert code in ("0", "141")
    assert said.stderr == ""


def test_a_reader_that_is_gone_ends_quietly(demo_home: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [SCRIPT, "client", "list"],
        cwd=demo_home,
        env=environment(),
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert (process.returncode, process.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told(demo_home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [SCRIPT, "client", "list"],
            cwd=demo_home,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr == b"tallybook: there is no space left on the device; make room and try again\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_odd_terminal_gets_plain_signs_and_never_a_traceback(
    demo_home: Path, encoding: str, as_json: list[str]
) -> None:
    said = inside("lead", "list", "acme-law", "--limit", "100", *as_json, cwd=demo_home, read_as=encoding)
    assert (said.returncode, said.stderr) == (0, "")
    assert "\\u5c71\\u7530" in said.stdout


def test_a_process_whose_streams_are_odd_from_its_start_does_the_same(demo_home: Path) -> None:
    words = ("lead", "list", "acme-law", "--limit", "100")
    said = console(*words, cwd=demo_home, read_as="ascii", PYTHONIOENCODING="ascii")
    assert said.stdout == inside(*words, cwd=demo_home, read_as="ascii").stdout
    assert (said.returncode, said.stderr) == (0, "")
    assert "\\u5c71\\u7530" in said.stdout


def test_undecodable_arguments_are_told_and_not_tripped_over(home: Path) -> None:
    process = subprocess.run(
        [SCRIPT.encode(), b"client", b"show", b"\xff\xfe"],
        cwd=home,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.startswith(b"tallybook: there is no client")


def test_no_colour_in_a_pipe_nor_where_nobody_wants_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert output.painted("x", "red") == "x"
    monkeypatch.setattr(output, "is_terminal", lambda _stream: True)
    assert output.painted("x", "red") == "\033[31mx\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.painted("x", "red") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert output.painted("x", "red") == "x"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_headings_are_dim_unless_no_color(demo_home: Path, no_color: str) -> None:
    """`script` gives the command a terminal."""
    command = f"NO_COLOR={no_color} TERM=xterm '{SCRIPT}' client list"
    said = on_a_terminal(command, demo_home)
    assert ("\033[2mCLIENT" in said) is (no_color == "")
    assert ("\033[" in said) is (no_color == "")


def on_a_terminal(command: str, cwd: Path) -> str:
    main_end, child_end = pty.openpty()
    subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=environment(), stdout=child_end, stderr=child_end, check=True, timeout=60
    )
    os.close(child_end)
    said = b""
    with suppress(OSError):  # Linux says EIO when the other end is closed
        while part := os.read(main_end, 65536):
            said += part
    os.close(main_end)
    return said.decode()


# Text in columns


def test_columns_are_aligned_whatever_is_in_them() -> None:
    rows = [("a", 1, "x"), ("山田", 20, "y"), ("Z\u0301o\x1b[2Je\n", 300, "")]
    assert output.lines_of(rows, ("NAME", "N", "END"), right=(1,)) == [
        "NAME       N  END",
        "a          1  x",
        "山田      20  y",
        "Z\u0301o [2Je  300",
    ]
    assert output.lines_of([]) == []


def test_a_text_that_is_too_long_is_cut_at_its_columns() -> None:
    assert output.cut("short", 5) == "short"
    assert output.cut("longer", 5) == "long…"
    assert output.cut("山田花子", 5) == "山田…"
