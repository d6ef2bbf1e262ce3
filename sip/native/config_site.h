/* pjproject as a signalling engine: no media, no video, no event packages of its own.
 * RTP never reaches this process; see docs/decisions and scripts/build-pjsua2. */

/* pjlib: every TCP or TLS connection is one handle of the epoll ioqueue. */
#define PJ_IOQUEUE_MAX_HANDLES 8192
#define PJ_IOQUEUE_MAX_EVENTS_IN_SINGLE_POLL 32
#define PJ_LOG_MAX_LEVEL 5
#define PJ_ENABLE_EXTRA_CHECK 1
#define PJ_HAS_IPV6 1

/* pjsip: sizes of hash tables are 2^n - 1. */
#define PJSIP_MAX_TSX_COUNT (16384 - 1)
#define PJSIP_MAX_DIALOG_COUNT (8192 - 1)
#define PJSIP_MAX_TRANSPORTS PJ_IOQUEUE_MAX_HANDLES
#define PJSIP_MAX_PKT_LEN 8192
#define PJSIP_MAX_URL_SIZE 1024
#define PJSIP_MAX_RESOLVED_ADDRESSES 8
/* The ACK of a call lives as long as the call: large steps would be wasted on it. */
#define PJSIP_POOL_LEN_TDATA 2048
#define PJSIP_POOL_INC_TDATA 1024
#define PJSIP_UDP_SO_RCVBUF_SIZE (4 * 1024 * 1024)
#define PJSIP_UDP_SO_SNDBUF_SIZE (1 * 1024 * 1024)
/* A trunk configured as UDP is spoken to over UDP, whatever the size of the request. */
#define PJSIP_UDP_SIZE_THRESHOLD 0
#define PJSIP_DONT_SWITCH_TO_TCP 1
#define PJSIP_TCP_TRANSPORT_BACKLOG 511
#define PJSIP_TLS_TRANSPORT_BACKLOG 511
/* Who only calls through a trunk needs no open port: we listen where a port is configured (`listenOn`). */
#define PJSIP_TCP_TRANSPORT_DONT_CREATE_LISTENER 1
#define PJSIP_TLS_TRANSPORT_DONT_CREATE_LISTENER 1
/* So a connection that we made must outlive the silence of a call: the trunk reaches us over no other. */
#define PJSIP_TRANSPORT_IDLE_TIME 86400
/* Seconds for the first message of a connection that came in. */
#define PJSIP_TRANSPORT_SERVER_IDLE_TIME_FIRST 10
/* A wrong password is tried once more when the server changed its nonce, and no further: some lock accounts. */
#define PJSIP_MAX_STALE_COUNT 2
#define PJSIP_TCP_KEEP_ALIVE_INTERVAL 30
#define PJSIP_TLS_KEEP_ALIVE_INTERVAL 30

/* pjsua */
#define PJSUA_MAX_CALLS 4096
#define PJSUA_MAX_ACC 256
#define PJSUA_MAX_CONF_PORTS (PJSUA_MAX_CALLS + 64)
#define PJSUA_MAX_VID_WINS 1
/* At the default of 1024 a longer SDP silently becomes "". */
#define PJSUA2_MAX_SDP_BUF_LEN 16384

/* pjmedia: SDP only. Without SRTP support, RTP/SAVP is just text that we pass through. */
#define PJMEDIA_HAS_VIDEO 0
#define PJSUA_MEDIA_HAS_PJMEDIA 0
#define PJMEDIA_HAS_SRTP 0
#define PJMEDIA_SDP_NEG_ANSWER_MULTIPLE_CODECS 1
#define PJMEDIA_HAS_G711_CODEC 0
#define PJMEDIA_HAS_ALAW_ULAW_TABLE 0
#define PJMEDIA_HAS_L16_CODEC 0
#define PJMEDIA_HAS_GSM_CODEC 0
#define PJMEDIA_HAS_SPEEX_CODEC 0
#define PJMEDIA_HAS_ILBC_CODEC 0
#define PJMEDIA_HAS_G722_CODEC 0
#define PJMEDIA_HAS_G7221_CODEC 0
#define PJMEDIA_HAS_SPEEX_AEC 0
