"""The bench: what a call costs, beside rtpengine and beside the floor of the primitives (`make bench`)."""
