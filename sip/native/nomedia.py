"""Take the media out of an unpacked pjproject tree, and put a door before it: `python nomedia.py TREE`.

pjsua-lib is written so that another media stack can be put under it; pjproject shows how in its
`3rdparty_media_sample`. We derive a stack that does nothing from that sample: it knows codec names
for SDP negotiation and touches no RTP.

Whether RTP can go to an address in SDP is the gateway's to say, which has words for it: pjsip takes any, and asks no
name server about it, for whose answer the whole process would wait. SDP before the final answer that does not fit our
offer is passed over, for the answer may.

The door: every connection that comes in, for TCP or TLS, is shown to us before pjlib keeps anything of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CODECS = (
    ("PCMU", 0, 8000, 1),
    ("PCMA", 8, 8000, 1),
    ("G722", 9, 16000, 1),
    ("GSM", 3, 8000, 1),
    ("G723", 4, 8000, 1),
    ("G729", 18, 8000, 1),
    ("opus", 96, 48000, 2),
    ("speex", 97, 8000, 1),
    ("speex", 98, 16000, 1),
    ("iLBC", 100, 8000, 1),
    ("AMR", 102, 8000, 1),
    ("AMR-WB", 103, 16000, 1),
    ("L16", 106, 8000, 1),
    ("L16", 107, 16000, 1),
)

STREAMS = """/* No media: the RTP of a call never comes to this process. */
void pjsua_aud_stop_stream(pjsua_call_media *call_med)
{
    PJ_UNUSED_ARG(call_med);
}

pj_status_t pjsua_aud_channel_update(pjsua_call_media *call_med, pj_pool_t *tmp_pool,
                                     pjmedia_stream_info *si,
                                     const pjmedia_sdp_session *local_sdp,
                                     const pjmedia_sdp_session *remote_sdp)
{
    PJ_UNUSED_ARG(call_med); PJ_UNUSED_ARG(tmp_pool); PJ_UNUSED_ARG(si);
    PJ_UNUSED_ARG(local_sdp); PJ_UNUSED_ARG(remote_sdp);
    return PJ_SUCCESS;
}

void pjsua_txt_stop_stream(pjsua_call_media *call_med)
{
    PJ_UNUSED_ARG(call_med);
}

pj_status_t pjsua_txt_channel_update(pjsua_call_media *call_med, pj_pool_t *tmp_pool,
                                     pjmedia_txt_stream_info *si,
                                     const pjmedia_sdp_session *local_sdp,
                                     const pjmedia_sdp_session *remote_sdp)
{
    PJ_UNUSED_ARG(call_med); PJ_UNUSED_ARG(tmp_pool); PJ_UNUSED_ARG(si);
    PJ_UNUSED_ARG(local_sdp); PJ_UNUSED_ARG(remote_sdp);
    return PJ_SUCCESS;
}

PJ_DEF(pj_status_t)
pjsua_call_send_text(pjsua_call_id call_id, const pjsua_call_send_text_param *param)
{
    PJ_UNUSED_ARG(call_id); PJ_UNUSED_ARG(param);
    return PJ_ENOTSUP;
}

"""

PARAMETER_DEFAULTS = """PJ_DEF(void) pjsua_snd_dev_param_default(pjsua_snd_dev_param *prm)
{
    pj_bzero(prm, sizeof(*prm));
    prm->capture_dev = PJMEDIA_AUD_DEFAULT_CAPTURE_DEV;
    prm->playback_dev = PJMEDIA_AUD_DEFAULT_PLAYBACK_DEV;
}

PJ_DEF(void) pjsua_conf_connect_param_default(pjsua_conf_connect_param *prm)
{
    pj_bzero(prm, sizeof(*prm));
    prm->level = 1.0;
}"""

UNIMPLEMENTED_DEFAULT = """PJ_DEF(void) pjsua_conf_connect_param_default(pjsua_conf_connect_param *prm)
{
    UNIMPLEMENTED(pjsua_conf_connect_param_default)
}"""

ACCEPTED = "if (status==PJ_SUCCESS && (asock->cb.on_accept_complete2"

ACCEPTED_IF_ADMITTED = """if (status==PJ_SUCCESS &&
            (!webtrunk_admits || (*webtrunk_admits)(accept_op->new_sock, &accept_op->rem_addr)) &&
            (asock->cb.on_accept_complete2"""

DOOR = "PJ_DEF(void) pj_activesock_cfg_default("

DOOR_WITH_BELL = """/* Whether this connection may come in; what may not is closed. */
pj_bool_t (*webtrunk_admits)(pj_sock_t sock, const pj_sockaddr *remote) = NULL;

PJ_DEF(void) pj_activesock_cfg_default("""


REMOTE_ADDRESS = """    status = pj_sockaddr_init(rem_af, &si->rem_addr, &rem_conn->addr,
                              rem_m->desc.port);
    if (status == PJ_ERESOLVE"""

REMOTE_LITERAL = """    status = pj_sockaddr_init(rem_af, &si->rem_addr, NULL, rem_m->desc.port);
    pj_inet_pton(rem_af, &rem_conn->addr, pj_sockaddr_get_addr(&si->rem_addr));
    if (status == PJ_ERESOLVE"""

RTCP_ATTRIBUTE = """    attr = pjmedia_sdp_attr_find2(rem_m->attr_count, rem_m->attr,
                                  "rtcp", NULL);
"""

RTCP_ATTRIBUTE_UNREAD = "    attr = NULL;\n"

NEGOTIATION_FAILED = """        pjsua_perror(THIS_FILE, "SDP negotiation has failed", status);
"""

NEGOTIATION_FAILED_FOR_GOOD = """        if (inv->role == PJSIP_ROLE_UAC && inv->state == PJSIP_INV_STATE_EARLY)
            goto on_return;
        pjsua_perror(THIS_FILE, "SDP negotiation has failed", status);
"""


class Unexpected(Exception):
    """The tree is not the pjproject this was written for."""


def replace(source: str, old: str, new: str) -> str:
    """Replace a passage that must be there."""
    if old not in source:
        raise Unexpected(f"not found in pjproject's source: {old.splitlines()[0]!r}")
    return source.replace(old, new)


def between(source: str, start: str, end: str) -> str:
    """The passage from `start` up to `end`, both of which must be there."""
    for mark in (start, end):
        if mark not in source:
            raise Unexpected(f"not found in pjproject's source: {mark!r}")
    begin = source.index(start)
    return source[begin : source.index(end, begin)]


def codec_table() -> str:
    """The C table of the codecs that SDP negotiation knows by name."""
    rows = "".join(
        f'    {{ {{ "{name}", {len(name)} }}, {payload_type}, {rate}, {channels}, 20, 64000, 64000 }},\n'
        for name, payload_type, rate, channels in CODECS
    )
    fields = (
        "    pj_str_t encoding_name; pj_uint8_t payload_type; unsigned clock_rate; unsigned channel_cnt;\n"
        "    unsigned frm_ptime; unsigned avg_bps; unsigned max_bps;\n"
    )
    return f"static struct alt_codec\n{{\n{fields}}} codec_list[] =\n{{\n{rows}}};\n"


def without_media(sample: str) -> str:
    """pjsua's media half, from the sample's source."""
    source, count = re.subn(
        r"static struct alt_codec\n\{.*?\n\};\n", lambda _: codec_table(), sample, count=1, flags=re.S
    )
    if count != 1:
        raise Unexpected("no codec table in pjproject's media sample")
    same_name = "if (pj_stricmp(&id->encoding_name, &codec_list[i].encoding_name)==0)"
    source = replace(source, same_name, same_name[:-1] + " &&\n            id->clock_rate == codec_list[i].clock_rate)")
    streams = between(source, "/* Our callback to receive incoming RTP packets */", "void pjsua_check_snd_dev_idle()")
    source = replace(source, streams, STREAMS)
    source = replace(source, "PJ_LOG(2,(THIS_FILE", "PJ_LOG(5,(THIS_FILE")
    source = replace(source, "    UNIMPLEMENTED(pjsua_call_has_media)\n", "")
    source = replace(source, "    UNIMPLEMENTED(pjsua_set_no_snd_dev)\n", "")
    return replace(source, UNIMPLEMENTED_DEFAULT, PARAMETER_DEFAULTS)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a passage of a file."""
    path.write_text(replace(path.read_text(), old, new))


def apply(tree: Path) -> None:
    """Change the tree in place."""
    sample = tree / "pjsip-apps/src/3rdparty_media_sample/alt_pjsua_aud.c"
    (tree / "pjsip/src/pjsua-lib/webtrunk_nomedia.c").write_text(without_media(sample.read_text()))
    objects = "pjsua_dump.o pjsua_aud.o pjsua_txt.o pjsua_vid.o"
    edit(tree / "pjsip/build/Makefile", objects, objects + " webtrunk_nomedia.o")
    accepting = tree / "pjlib/src/pj/activesock.c"
    edit(accepting, ACCEPTED, ACCEPTED_IF_ADMITTED)
    edit(accepting, DOOR, DOOR_WITH_BELL)
    judging = tree / "pjmedia/src/pjmedia/stream_common.c"
    edit(judging, REMOTE_ADDRESS, REMOTE_LITERAL)
    edit(judging, RTCP_ATTRIBUTE, RTCP_ATTRIBUTE_UNREAD)
    edit(tree / "pjsip/src/pjsua-lib/pjsua_call.c", NEGOTIATION_FAILED, NEGOTIATION_FAILED_FOR_GOOD)
    # Debian's tarball leaves this one file out for its licence.
    edit(tree / "pjmedia/build/Makefile", "bdimad_dev.o ", "")


if __name__ == "__main__":
    apply(Path(sys.argv[1]))
