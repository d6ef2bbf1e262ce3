"""The part of pjsua2 (and of our additions in sip/native) that sip.worker relies on; nothing else of it is used."""

from collections.abc import Iterable

PJSUA_INVALID_ID: int

PJSIP_TRANSPORT_UDP: int
PJSIP_TRANSPORT_TCP: int
PJSIP_TRANSPORT_TLS: int
PJSIP_TRANSPORT_IPV6: int

PJSIP_INV_STATE_CONNECTING: int
PJSIP_INV_STATE_CONFIRMED: int
PJSIP_INV_STATE_DISCONNECTED: int

PJSIP_EVENT_TSX_STATE: int
PJSIP_EVENT_RX_MSG: int
PJSIP_EVENT_TX_MSG: int

PJSIP_REDIRECT_REJECT: int
PJSIP_ROLE_UAC: int
PJSIP_TSX_STATE_COMPLETED: int
PJSIP_TSX_STATE_TERMINATED: int
PJSIP_TP_STATE_DISCONNECTED: int
PJSUA_100REL_OPTIONAL: int
PJSUA_SIP_TIMER_OPTIONAL: int
PJMEDIA_SRTP_OPTIONAL: int
PJ_SSL_SOCK_PROTO_TLS1_2: int
PJ_SSL_SOCK_PROTO_TLS1_3: int

def nextTimerMs() -> int: ...
def liveCalls() -> int: ...
def listenOn(transportId: int, address: str, port: int) -> int: ...
def endSessionTimer(callId: int) -> None: ...
def terminateCall(callId: int, callIdHeader: str, status: int) -> None: ...

class Error(Exception):
    status: int
    reason: str
    def info(self, multi_line: bool = ...) -> str: ...

class StringVector:
    def __init__(self, values: Iterable[str] = ...) -> None: ...

class SipHeader:
    hName: str
    hValue: str

class SipHeaderVector:
    def append(self, header: SipHeader) -> None: ...

class SipTxOption:
    localUri: str
    contactUri: str
    contentType: str
    msgBody: str
    headers: SipHeaderVector

class SipRxData:
    info: str
    wholeMsg: str
    srcAddress: str

class SipTransaction:
    role: int
    method: str
    statusCode: int
    statusText: str
    state: int

class SipTxData:
    wholeMsg: str

class TsxStateEventSrc:
    rdata: SipRxData
    tdata: SipTxData

class TsxStateEvent:
    src: TsxStateEventSrc
    tsx: SipTransaction
    prevState: int
    type: int

class RxMsgEvent:
    rdata: SipRxData

class SipEventBody:
    tsxState: TsxStateEvent
    rxMsg: RxMsgEvent

class SipEvent:
    type: int
    body: SipEventBody

class SdpSession:
    wholeSdp: str

class CallSetting:
    audioCount: int
    videoCount: int
    textCount: int

class CallOpParam:
    opt: CallSetting
    statusCode: int
    reason: str
    txOption: SipTxOption
    sdp: SdpSession
    def __init__(self, useDefaultCallSetting: bool = ...) -> None: ...

class CallSendRequestParam:
    method: str
    txOption: SipTxOption

class CallInfo:
    state: int
    lastStatusCode: int
    lastReason: str
    callIdString: str

class OnCallSdpCreatedParam:
    sdp: SdpSession
    remSdp: SdpSession

class OnCallStateParam:
    e: SipEvent

class OnCallTsxStateParam:
    e: SipEvent

class OnCallMediaStateParam: ...

class OnCallRxReinviteParam:
    offer: SdpSession
    isAsync: bool
    statusCode: int

class OnCallRxOfferParam:
    offer: SdpSession
    statusCode: int

class OnCallRedirectedParam:
    targetUri: str

class Call:
    def __init__(self, acc: Account, call_id: int = ...) -> None: ...
    def getId(self) -> int: ...
    def getInfo(self) -> CallInfo: ...
    def isActive(self) -> bool: ...
    def makeCall(self, dst_uri: str, prm: CallOpParam) -> None: ...
    def answer(self, prm: CallOpParam) -> None: ...
    def hangup(self, prm: CallOpParam) -> None: ...
    def reinvite(self, prm: CallOpParam) -> None: ...
    def sendRequest(self, prm: CallSendRequestParam) -> None: ...
    def activeRemoteSdp(self) -> str: ...
    def forgetInvite(self) -> None: ...

class AuthCredInfo:
    def __init__(self, scheme: str, realm: str, user_name: str, data_type: int, data: str) -> None: ...

class AuthCredInfoVector:
    def append(self, credentials: AuthCredInfo) -> None: ...

class AccountSipConfig:
    authCreds: AuthCredInfoVector
    contactForced: str
    transportId: int

class AccountCallConfig:
    prackUse: int
    timerUse: int

class AccountMediaConfig:
    lockCodecEnabled: bool
    useLoopMedTp: bool
    enableLoopback: bool
    srtpUse: int
    srtpSecureSignaling: int

class AccountNatConfig:
    contactRewriteUse: int
    viaRewriteUse: int
    sipOutboundUse: int

class AccountRegConfig:
    registrarUri: str
    timeoutSec: int
    retryIntervalSec: int

class AccountConfig:
    idUri: str
    regConfig: AccountRegConfig
    sipConfig: AccountSipConfig
    callConfig: AccountCallConfig
    mediaConfig: AccountMediaConfig
    natConfig: AccountNatConfig

class OnIncomingCallParam:
    callId: int
    rdata: SipRxData

class OnRegStateParam:
    code: int
    reason: str
    expiration: int

class Account:
    def __init__(self) -> None: ...
    def setRegistration(self, renew: bool) -> None: ...
    def create(self, cfg: AccountConfig, make_default: bool = ...) -> None: ...
    def getId(self) -> int: ...

class UaConfig:
    maxCalls: int
    threadCnt: int
    mainThreadOnly: bool
    userAgent: str

class LogEntry:
    level: int
    msg: str

class LogWriter:
    def __init__(self) -> None: ...
    def __disown__(self) -> LogWriter: ...

class LogConfig:
    msgLogging: int
    level: int
    consoleLevel: int
    decor: int
    writer: LogWriter

class MediaConfig:
    hasIoqueue: bool
    threadCnt: int
    noVad: bool
    sndAutoCloseTime: int

class EpConfig:
    uaConfig: UaConfig
    logConfig: LogConfig
    medConfig: MediaConfig

class SockOpt:
    def __init__(self, level: int, optName: int, optVal: int) -> None: ...

class SockOptVector:
    def append(self, option: SockOpt) -> None: ...

class SockOptParams:
    sockOpts: SockOptVector

class TlsConfig:
    sockOptParams: SockOptParams
    CaListFile: str
    certFile: str
    privKeyFile: str
    proto: int
    msecTimeout: int
    verifyServer: bool
    verifyClient: bool
    requireClientCert: bool

class TransportConfig:
    port: int
    publicAddress: str
    boundAddress: str
    sockOptParams: SockOptParams
    tlsConfig: TlsConfig

class TransportInfo:
    localName: str

class TlsInfo:
    remoteAddr: str
    verifyStatus: int
    verifyMsgs: Iterable[str]
    def isEmpty(self) -> bool: ...

class OnTransportStateParam:
    type: str
    state: int
    lastError: int
    tlsInfo: TlsInfo

class OnSelectAccountParam:
    rdata: SipRxData
    accountIndex: int

class AudDevManager:
    def setNoDev(self) -> int: ...

class Endpoint:
    def __init__(self) -> None: ...
    def libCreate(self) -> None: ...
    def libInit(self, prmEpConfig: EpConfig) -> None: ...
    def libStart(self) -> None: ...
    def libHandleEvents(self, msec_timeout: int) -> int: ...
    def libGetSipIoqueueHandle(self) -> int: ...
    def transportCreate(self, kind: int, cfg: TransportConfig) -> int: ...
    def transportGetInfo(self, identity: int) -> TransportInfo: ...
    def audDevManager(self) -> AudDevManager: ...
    def utilStrError(self, prmErr: int) -> str: ...

class RequestGate:
    def __init__(self) -> None: ...
    def attach(self) -> None: ...
    def resume(self, token: int) -> None: ...
    def send(self, accountId: int, message: str) -> int: ...
    def follow(self, callId: int, token: int) -> None: ...

class NameResolver:
    def __init__(self) -> None: ...
    def attach(self) -> None: ...
    def resolved(self, token: int, addresses: StringVector) -> None: ...
