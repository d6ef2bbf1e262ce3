"""Real peers for tests: gateway processes, browsers, SIP phones, and what to measure between them."""
