"""Sealing: messages that are seldom needed lie compressed, many to a chunk, and read as if they did not."""
