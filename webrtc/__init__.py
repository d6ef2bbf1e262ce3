"""The browser side: DTLS, signalling, the WebSocket."""
