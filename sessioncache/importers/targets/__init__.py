"""Writers into our stores, one a format."""
