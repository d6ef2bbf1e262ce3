"""Ask an HTTP listener on this machine for JSON, past any proxy."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from call.errors import PeerError, TransportError


def ask(
    url: str, timeout_s: float, method: str = "GET", body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status and the JSON object of an answer; blocking.

    Who serves it is seen from the object, not from a certificate.

    Raises:
        TransportError: Nobody answers there.
        PeerError: Somebody does, but not with a JSON object: it is no listener of ours.
    """
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_any_certificate()), _StayHere()
    )
    data = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
    try:
        try:
            response = direct.open(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            response = error  # a refusal is an answer, too
        with response:
            return response.status, _object(response.read())
    except http.client.HTTPException as error:
        raise PeerError(f"What answers at {url} does not speak HTTP.") from error
    except OSError as error:  # urllib.error.URLError is one
        raise TransportError(f"Nothing answers at {url}.") from error


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect is answered by nobody of ours, and may lead to another machine."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # RecursionError: brackets within brackets
        found = None
    if not isinstance(found, dict):
        raise PeerError("What answers there is not webtrunk.")
    return found


def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
