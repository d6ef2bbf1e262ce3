"""Answer the topmost challenge that we can, in an unpacked pjproject tree: `python topmost.py TREE`.

A 401 or 407 may offer several schemes and algorithms, the best first (RFC 3261 §22.4, RFC 8760 §2.4). pjsip drops
the whole response when it does not know a scheme, and answers the last of several challenges of a realm.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nomedia import edit  # type: ignore[import-not-found]

PGP = """        parse_pgp_challenge(scanner, pool, &hdr->challenge.pgp);

    } else {
"""
UNKNOWN_SCHEME = PGP + "        PJ_THROW(PJSIP_SYN_ERR_EXCEPTION);\n"

PASSED_OVER = (
    PGP
    + """        /* A header that nobody asks for, as any other that pjsip does not know. */
        const pj_str_t name = hdr->name;
        pj_str_t rest;
        while (!pj_scan_is_eof(scanner) && pj_cis_match(&pc->pjsip_NOT_NEWLINE, *scanner->curptr))
            pj_scan_get(scanner, &pc->pjsip_NOT_NEWLINE, &rest);
        pjsip_generic_string_hdr_init(pool, hdr, &name, NULL);
"""
)

ANSWER = """        /* Find authentication session for this realm, create a new one
         * if not present.
         */
        cached_auth = find_cached_auth(sess, &hchal->challenge.common.realm,
            algorithm->algorithm_type);
"""

ANSWER_TOPMOST = (
    """        if (is_answered(answered, auth_cnt, hchal)) {
            hdr = hdr->next;
            continue;
        }

"""
    + ANSWER
)

COUNTS = """    unsigned chal_cnt, auth_cnt;
    pjsip_via_hdr *via;
"""
COUNTS_AND_ANSWERED = COUNTS + "    const pjsip_www_authenticate_hdr *answered[MAX_ANSWERED];\n"

NEXT = """        /* Process next header. */
        hdr = hdr->next;
        auth_cnt++;
"""
NOTED = "        if (auth_cnt < MAX_ANSWERED)\n            answered[auth_cnt] = hchal;\n" + NEXT

REINIT = "PJ_DEF(pj_status_t) pjsip_auth_clt_reinit_req("

IS_ANSWERED = (
    """/* As many challenges of other realms may stand above one. */
#define MAX_ANSWERED 8

/* Whether a challenge of the same realm, which stands above this one, is answered. */
static pj_bool_t is_answered(const pjsip_www_authenticate_hdr *answered[], unsigned count,
                             const pjsip_www_authenticate_hdr *challenge)
{
    unsigned i;
    for (i = 0; i < count && i < MAX_ANSWERED; i++) {
        if (answered[i]->type == challenge->type &&
            !pj_stricmp(&answered[i]->challenge.common.realm, &challenge->challenge.common.realm))
            return PJ_TRUE;
    }
    return PJ_FALSE;
}

"""
    + REINIT
)


def apply(tree: Path) -> None:
    """Change the tree in place."""
    source = tree / "pjsip/src/pjsip"
    edit(source / "sip_auth_parser.c", UNKNOWN_SCHEME, PASSED_OVER)
    edit(source / "sip_auth_client.c", ANSWER, ANSWER_TOPMOST)
    edit(source / "sip_auth_client.c", REINIT, IS_ANSWERED)
    edit(source / "sip_auth_client.c", COUNTS, COUNTS_AND_ANSWERED)
    edit(source / "sip_auth_client.c", NEXT, NOTED)


if __name__ == "__main__":
    apply(Path(sys.argv[1]))
