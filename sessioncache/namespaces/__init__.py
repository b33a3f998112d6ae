"""Namespaces: claimed by the first cache that opens them, checked by every other."""
