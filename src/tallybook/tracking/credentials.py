"""The address of a server and the token for it, as JobTracking is given them."""

import logging
import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from tallybook.domain.errors import BadSetting

log = logging.getLogger("tallybook.tracking")


def read_url(text: object) -> str:
    """Scheme, host, port and path, without a slash at the end. Raises BadSetting."""
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSetting(
            "JobTracking(url=…) is the address of a Tallybook server, such as https://tallybook.example.org"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadSetting("JobTracking(url=…) is an address without a user, a query or a fragment; give token=…")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        log.warning("the token goes to %s unencrypted; use https", parts.hostname)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _split(text: object) -> SplitResult | None:
    try:
        return urlsplit(text.strip()) if isinstance(text, str) else None
    except ValueError:
        return None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(text: object) -> str:
    """Raises BadSetting, which never says what was given."""
    if not isinstance(text, str) or not re.fullmatch(r"[!-~]+", text.strip()):
        raise BadSetting("JobTracking(token=…) is a token of that server, made there with `tallybook token create`")
    return text.strip()


def folder_name(url: str) -> str:
    """For the spool of what is reported to *url*: what is for one server never gets to another."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", url.partition("://")[2])
