"""Let a sent message keep as much memory as it is long, in an unpacked pjproject tree: `python tightbuffers.py TREE`.

pjsip prints a message into a buffer of PJSIP_MAX_PKT_LEN in the message's own pool, and the ACK of a call lives as long
as the call, since the peer may ask for it again (RFC 3261 §13.2.2.4). It is printed on the stack here and then copied.
The pools of a dialog and of its session grow in small steps, since the last one of each is half empty.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nomedia import between, edit, replace  # type: ignore[import-not-found]

ENCODE = """PJ_DEF(pj_status_t) pjsip_tx_data_encode(pjsip_tx_data *tdata)
{
    char text[PJSIP_MAX_PKT_LEN];
    pj_ssize_t length;
    PJ_USE_EXCEPTION;

    if (pjsip_tx_data_is_valid(tdata))
        return PJ_SUCCESS;

    length = pjsip_msg_print(tdata->msg, text, sizeof(text));
    if (length < 0)
        return PJSIP_EMSGTOOLONG;

    if (tdata->buf.end - tdata->buf.start <= length) {
        PJ_TRY {
            tdata->buf.start = (char*) pj_pool_alloc(tdata->pool, length + 1);
        }
        PJ_CATCH_ANY {
            return PJ_ENOMEM;
        }
        PJ_END
        tdata->buf.end = tdata->buf.start + length + 1;
    }
    pj_memcpy(tdata->buf.start, text, length);
    tdata->buf.start[length] = '\\0';
    tdata->buf.cur = tdata->buf.start + length;
    return PJ_SUCCESS;
}

"""

SIZES = "pjsip/include/pjsip/sip_config.h"
SESSION = "pjsip/src/pjsip-ua/sip_inv.c"
POOLS = (
    (SIZES, "PJSIP_POOL_LEN_DIALOG           4000", "PJSIP_POOL_LEN_DIALOG 1024"),
    (SIZES, "PJSIP_POOL_INC_DIALOG           4000", "PJSIP_POOL_INC_DIALOG 512"),
    (SESSION, "POOL_INIT_SIZE  1000", "POOL_INIT_SIZE 512"),
    (SESSION, "POOL_INC_SIZE   1000", "POOL_INC_SIZE 256"),
)
"""In which file the size of a pool is, in bytes, as it is there, and as it shall be."""


def apply(tree: Path) -> None:
    """Change the tree in place."""
    for name, size, smaller in POOLS:
        edit(tree / name, size, smaller)
    transport = tree / "pjsip/src/pjsip/sip_transport.c"
    source = transport.read_text()
    encode = between(source, "PJ_DEF(pj_status_t) pjsip_tx_data_encode(", "PJ_DEF(pj_bool_t) pjsip_tx_data_is_valid(")
    transport.write_text(replace(source, encode, ENCODE))


if __name__ == "__main__":
    apply(Path(sys.argv[1]))
