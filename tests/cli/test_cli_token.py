"""`tallybook token`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tallybook.app import App, open_app
from tallybook.domain.access import Access, Scope, hash_of
from tallybook.ledger.audit_log import list_entries
from tallybook.ledger.tokens import find_by_hash
from tallybook.ledger.write.tokens import note_use
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")

T = TypeVar("T")


@pytest.fixture
def acme(home: Path, cli: Cli) -> Path:
    (home / "clients.csv").write_text("client_id\nacme\no'hara {x} 🦊\n", encoding="utf-8")
    cli.good("client", "import", "clients.csv")
    return home


def made(cli: Cli, *words: str) -> tuple[str, str]:
    """(id, text) of a new token."""
    said = cli.good("token", "create", *(words or ("--scope", "runs:read")), "--json").json
    return said["id"], said["token"]


def found(text: str) -> Access | None:
    return in_the_books(lambda app: find_by_hash(app.database, hash_of(text)))


def in_the_books(do: Callable[[App], T]) -> T:
    app = open_app()
    try:
        return do(app)
    finally:
        app.close()


# create


def test_a_token_is_printed_once_and_good_from_then_on(cli: Cli) -> None:
    said = cli.good("token", "create", "--scope", "runs:start", "--scope", "RUNS:READ")
    assert list(said.json) == ["id", "token", "scopes", "client_id"]
    assert (said.json["scopes"], said.json["client_id"]) == (["runs:read", "runs:start"], None)
    assert re.fullmatch("tb_[A-Za-z0-9_-]{43}", said.json["token"])
    assert re.fullmatch("[0-9a-f]{8}", said.json["id"])
    assert said.err == "Keep the token in a safe place: it is not shown again.\n"
    assert found(said.json["token"]) == Access.of_token(said.json["id"], [Scope.RUNS_READ, Scope.RUNS_START])


def test_with_json_nothing_else_is_said(cli: Cli) -> None:
    said = cli.good("token", "create", "--scope", "admin", "--json")
    assert (said.json["scopes"], said.err) == (["admin"], "")


@pytest.mark.parametrize("client", ["acme", "o'hara {x} 🦊"])
def test_a_token_is_bound_to_a_client(cli: Cli, acme: Path, client: str) -> None:
    said = cli.good("token", "create", "--scope", "runs:write", "--client", client, "--json").json
    access = found(said["token"])
    assert access is not None
    assert said["client_id"] == access.client_id == client


@pytest.mark.parametrize("client", ["nobody", "", "a\0b", "ACME", "'; DROP TABLE clients; --"])
def test_a_token_for_a_client_that_does_not_exist_is_not_made(cli: Cli, acme: Path, client: str) -> None:
    said = cli("token", "create", "--scope", "runs:read", "--client", client)
    assert said.code == 1
    assert said.error.endswith("; `tallybook client list` names them all")
    assert cli.good("token", "list", "--json").json["items"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "missing option '--scope'"),
        (["--scope", "runs:delete"], "'runs:delete' is no scope; use one of: runs:read, runs:write, runs:start, admin"),
        (["--scope", ""], "'' is no scope"),
        (["--scope", "admin", "--client", "acme"], "admin reaches every client, so it cannot be bound to one"),
    ],
)
def test_a_token_that_cannot_be_is_one_line_and_not_made(cli: Cli, acme: Path, words: list[str], expected: str) -> None:
    said = cli("token", "create", *words)
    assert said.code == 2
    assert expected in said.error
    assert cli.good("token", "list", "--json").json["items"] == []


# list


def test_tokens_are_listed_without_what_they_are(cli: Cli, acme: Path) -> None:
    """F35"""
    first, text = made(cli, "--scope", "runs:read", "--scope", "runs:write", "--client", "acme")
    second, other = made(cli, "--scope", "admin")
    said, as_json = cli.good("token", "list"), cli.good("token", "list", "--json")
    heading, *rows = [re.split(r"\s{2,}", line) for line in said.out.splitlines()]
    assert heading == ["TOKEN", "SCOPES", "CLIENT", "CREATED", "LAST USED", "REVOKED"]
    assert [[*row[:3], *row[4:]] for row in rows] == [
        [second, "admin", "all", "–", "–"],
        [first, "runs:read runs:write", "acme", "–", "–"],
    ]
    for secret in (text, other, hash_of(text), hash_of(other)):
        assert secret not in said.out + said.err + as_json.out


def test_a_token_is_listed_with_its_use_and_its_end(cli: Cli) -> None:
    name, _ = made(cli)
    in_the_books(lambda app: app.ledger.do(note_use, name))
    cli.good("token", "revoke", name)
    (listed,) = cli.good("token", "list", "--json").json["items"]
    times = [listed.pop(key) for key in ("created_at", "used_at", "revoked_at")]
    assert listed == {"id": name, "scopes": ["runs:read"], "client_id": None}
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z", time) for time in times)


def test_without_a_token_the_list_says_how_to_make_one(cli: Cli) -> None:
    said = cli.good("token", "list")
    assert (said.out, said.err) == (
        "",
        "There are no tokens yet: `tallybook token create --scope runs:read` makes one.\n",
    )


def test_tokens_come_in_pages_newest_first(cli: Cli) -> None:
    names = [made(cli)[0] for _ in range(3)]
    first = cli.good("token", "list", "--limit", "2", "--json").json
    assert [each["id"] for each in first["items"]] == names[:0:-1]
    told = cli.good("token", "list", "--limit", "2").err
    assert told == f"There is more: tallybook token list --limit 2 --cursor '{first['next_cursor']}'\n"
    last = cli.good("token", "list", "--limit", "2", "--cursor", first["next_cursor"], "--json").json
    assert ([each["id"] for each in last["items"]], last["next_cursor"]) == (names[:1], None)
    assert "is no cursor" in cli("token", "list", "--cursor", "x").error


# revoke


def test_a_revoked_token_is_good_for_nothing(cli: Cli) -> None:
    name, text = made(cli)
    assert cli.good("token", "revoke", name).out == f"{name} is revoked\n"
    assert found(text) is None
    assert cli.good("token", "revoke", name).out == f"{name} was revoked before\n"


def test_a_token_is_revoked_for_a_program(cli: Cli) -> None:
    name, _ = made(cli)
    said = [cli.good("token", "revoke", name, "--json").json for _ in range(2)]
    assert said == [{"id": name, "revoked": True, "revoked_before": before} for before in (False, True)]


@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "x" * 5000, "'; DROP TABLE api_tokens; --", "山田\x1b[31m"])
def test_a_token_that_does_not_exist_is_one_line(cli: Cli, name: str) -> None:
    made(cli)
    said = cli("token", "revoke", name)
    assert said.code == 1
    assert said.error.startswith("there is no token ")
    assert said.error.endswith("; `tallybook token list` names them all")
    assert "\x1b" not in said.error


def test_what_the_command_line_did_is_in_the_audit_log(cli: Cli) -> None:
    name, _ = made(cli)
    cli.good("token", "revoke", name)
    entries = in_the_books(lambda app: list_entries(app.database))
    told = [(each.actor, each.action, each.subject) for each in entries]
    assert told == [("cli", action, f"token {name}") for action in ("token_revoked", "token_created")]
