"""Our settings in pjsua2's words."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

import pjsua2 as pj

from call.errors import TransportError
from sip import trunk
from sip.messages import Start, Transport, TrunkAccount

LOG_LEVEL: Final = 2
"""pjsip logs packets that it cannot read at 1 and 2."""
MAX_CALLS: Final = 4096
"""PJSUA_MAX_CALLS of sip/native/config_site.h."""
TLS_HANDSHAKE_MS: Final = 10_000
UNACKNOWLEDGED_MS: Final = 20_000
GIVE_UP: Final = pj.SockOpt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
"""A connection whose bytes nobody acknowledges for so long is broken (RFC 5482): sooner than a request on it times out
(timer F, 32 s), so that it is known that the connection was to blame. pjsua2 keeps a pointer, so this stays."""
REGISTERED_FOR_S: Final = 300
"""Often enough that the binding of a NAT on the way lives on."""
REGISTER_AGAIN_S: Final = 30
"""After no answer or a failure of the registrar; a refusal for good, as of a wrong password, is not asked for twice."""
DEBIAN_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"


def endpoint_config(settings: Start, writer: pj.LogWriter) -> pj.EpConfig:
    """pjsua without threads, sound or a name server."""
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = False
    config.uaConfig.maxCalls = min(settings.max_calls, MAX_CALLS)
    config.uaConfig.userAgent = settings.user_agent
    config.logConfig.level = LOG_LEVEL
    config.logConfig.consoleLevel = LOG_LEVEL
    config.logConfig.msgLogging = 0
    config.logConfig.decor = 0
    config.logConfig.writer = writer.__disown__()  # pjsua2 deletes it
    config.medConfig.hasIoqueue = False
    config.medConfig.threadCnt = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1
    return config


def transport_config(settings: Start, kind: Transport, port: int | None) -> pj.TransportConfig:
    """Our end of a transport; pjsip listens there for UDP alone, `listenOn` does it for the others."""
    config = pj.TransportConfig()
    config.port = port or 0
    config.boundAddress = settings.bind
    if port is not None:  # else a connection goes by its own name, which has a port
        config.publicAddress = settings.advertise
    if kind == "tcp":
        config.sockOptParams.sockOpts.append(GIVE_UP)
    if kind == "tls":
        config.tlsConfig.sockOptParams.sockOpts.append(GIVE_UP)
        config.tlsConfig.certFile = settings.tls_cert
        config.tlsConfig.privKeyFile = settings.tls_key
        config.tlsConfig.CaListFile = settings.tls_ca or system_authorities()
        config.tlsConfig.verifyServer = settings.tls_verify
        config.tlsConfig.msecTimeout = TLS_HANDSHAKE_MS
        config.tlsConfig.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
    return config


def check_tls(settings: Start) -> None:
    """pjsip reads certificates only when somebody connects: look at them before that.

    Raises:
        TransportError: A file is missing or is not what it should be; the sentence names it.
    """
    if settings.tls_port is not None and not (settings.tls_cert and settings.tls_key):
        raise TransportError("SIP over TLS needs a certificate and its key (tls_cert, tls_key).")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if settings.tls_cert:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
        if settings.tls_ca:
            context.load_verify_locations(settings.tls_ca)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(filter(None, (settings.tls_cert, settings.tls_key, settings.tls_ca)))
        raise TransportError(f"SIP over TLS cannot use {files}: {error.strerror or error}.") from error


def system_authorities() -> str:
    """The machine's list of certificate authorities, "" if there is none."""
    candidates = (ssl.get_default_verify_paths().cafile, DEBIAN_AUTHORITIES)
    return next((path for path in candidates if path and Path(path).exists()), "")


def account_config(account: TrunkAccount, settings: Start, transport: int, port: int | None) -> pj.AccountConfig:
    """A trunk. pjsip shall add nothing of its own to what we say."""
    config = pj.AccountConfig()
    host = trunk.bracketed(account.from_host or settings.advertise)
    user = trunk.escape_user(account.user)
    config.idUri = f"sip:{user}@{host}" if user else f"sip:{host}"
    config.sipConfig.transportId = transport
    config.sipConfig.contactForced = trunk.contact(account.user, settings.advertise, port, account.transport)
    if account.user:
        credentials = pj.AuthCredInfo("digest", "*", account.user, 0, account.password)
        config.sipConfig.authCreds.append(credentials)
    if account.registers:
        config.regConfig.registrarUri = trunk.registrar_uri(account)
        config.regConfig.timeoutSec = REGISTERED_FOR_S
        config.regConfig.retryIntervalSec = REGISTER_AGAIN_S
    config.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
    config.mediaConfig.lockCodecEnabled = False
    config.mediaConfig.useLoopMedTp = True
    config.mediaConfig.enableLoopback = False
    config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_OPTIONAL
    config.mediaConfig.srtpSecureSignaling = 0
    config.natConfig.contactRewriteUse = 0
    config.natConfig.viaRewriteUse = 0
    config.natConfig.sipOutboundUse = 0
    return config


def transport_sentence(settings: Start, kind: Transport, port: int | None, reason: str) -> str:
    """Why a port could not be opened, and what to do."""
    if "in use" in reason:
        where = f"SIP port {port} ({kind}) on {settings.bind}"
        return f"{where} is taken by another program; stop it or change `sip.{kind}_port`."
    return f"SIP over {kind} cannot start on {settings.bind} port {port or 'any'}: {reason}."
