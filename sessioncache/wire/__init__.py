"""How a request is described: keys, scripts, payloads and calls as plain values. No I/O, and no import of redis."""
