"""Reach a trunk by its own transport, whatever its URIs say, in an unpacked pjproject tree: `python ownway.py TREE`.

A trunk may put into Contact or Record-Route a transport that is not the one it is spoken to with: `transport=tcp` over
TLS (RFC 3261 §26.2.2 has no other name for it), over UDP from a server that has both, `sips:` over TCP. pjsip sends
nothing then, not even the ACK. The configuration knows better than the URI how the trunk is reached.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nomedia import edit  # type: ignore[import-not-found]

SUITABLE = """        if (dest_info->type != PJSIP_TRANSPORT_UNSPECIFIED &&
            ((dest_info->type | PJSIP_TRANSPORT_IPV6) !=
             (tp_type | PJSIP_TRANSPORT_IPV6)))
        {
            PJ_LOG(4,(THIS_FILE, "Unsuitable transport selected to "
                                 "reach destination"));
            return PJSIP_ETPNOTSUITABLE;
        }
        dest_info->type = tp_type;
"""

CHOSEN = "        dest_info->type = tp_type;\n"

if __name__ == "__main__":
    edit(Path(sys.argv[1]) / "pjsip/src/pjsip/sip_util.c", SUITABLE, CHOSEN)
