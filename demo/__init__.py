"""The demo far end: a real SIP phone on loopback, which answers the demo numbers. No part of the gateway."""
