"""The cache: nouns as attributes over one transport."""
