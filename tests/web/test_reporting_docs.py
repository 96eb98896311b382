"""What docs/reporting.md says to type is answered."""

import shlex
from pathlib import Path

import httpx

from tests.web.conftest import headers_of
from tests.web.serving import MakeToken

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reporting.md"


def test_every_example_for_curl_works_in_their_order(base_url: str, make_token: MakeToken) -> None:
    place = f"{base_url}/api/v1"
    section = PAGE.read_text(encoding="utf-8").partition("### From any other language")[2].partition("## When")[0]
    lines = [line for line in section.splitlines() if line.startswith("curl ")]
    assert len(lines) == 12
    for line in lines:
        words = shlex.split(line.replace("$TALLYBOOK", place))
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = words[words.index("--json") + 1].encode() if "--json" in words else None
        [url] = [word for word in words if word.startswith(place)]
        headers = {**headers_of(make_token()), **({"Content-Type": "application/json"} if body else {})}
        response = httpx.request(method, url, content=body, headers=headers)
        assert response.is_success, (line, response.text)
