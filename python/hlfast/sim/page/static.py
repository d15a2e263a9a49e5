"""The page's bytes and headers, and who may have them."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

LOCAL_ONLY = "This door opens on loopback only, to no other site's pages."
_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


class Page(NamedTuple):
    """HTML and the content policy's sources of what is inlined in it."""

    html: bytes
    policy: str


@cache
def page() -> Page:
    """Return the page; its policy lets its own style and script run and nothing else."""
    html = resources.files("hlfast.sim").joinpath("page", "index.html").read_text("utf-8")
    sources = " ".join(
        f"{name}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}';"
        for name, text in _INLINE.findall(html)
    )
    policy = (
        f"default-src 'none'; {sources} img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    )
    return Page(html.encode(), policy)


def headers(host: str) -> dict[str, str]:
    """Return the page's headers; it may talk to the host that it came from and to nobody else."""
    return {
        "Content-Security-Policy": f"{page().policy} connect-src 'self' ws://{host}",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def is_local(source: str, host: str | None, origin: str | None) -> bool:
    """Tell whether a request comes from this machine and was meant for it.

    A web page elsewhere reaches loopback through its visitor's browser: with a name of its own that resolves to
    127.0.0.1, which shows in `Host`, or plainly, which shows in `Origin`.
    """
    if not _is_loopback(source) or host is None or not _is_loopback(_name(host)):
        return False
    return origin is None or origin == f"http://{host}"


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
