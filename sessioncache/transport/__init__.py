"""How a request is carried. The only package that imports redis; everything above it sees `transport.base`."""
