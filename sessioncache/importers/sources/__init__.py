"""Readers of other stores' data, one a file."""
