"""TLS certificates of a connection, read from the files that the settings name.

The rule of this module: files are read for each connection, so that they can be replaced under a running process, and
once before the first, so that a file that cannot work is a ConfigurationError at the start.
"""

from __future__ import annotations

import ssl

from sessioncache.errors import ConfigurationError
from sessioncache.settings import Settings

__all__ = ["check_certificates", "tls_context"]


def tls_context(settings: Settings) -> ssl.SSLContext:
    """What to trust, and who we are.

    Raises:
        OSError: a file cannot be read, or does not hold what it should; the setting and the file are named.
    """
    authorities, certificate = settings.tls_ca_file, settings.tls_cert_file
    try:
        context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
    except OSError as error:
        raise OSError(f"tls_ca_file {authorities}: {_reason(error)}") from error
    context.check_hostname = settings.tls_check_hostname
    if certificate is not None:
        key = settings.tls_key_file or certificate
        try:
            # Without a password here, a key that needs one would have it asked for at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:
            raise OSError(f"tls_cert_file {certificate}, with its key in {key}: {_reason(error)}") from error
    return context


def check_certificates(settings: Settings) -> None:
    """Look whether the files can be used.

    Raises:
        ConfigurationError: they cannot.
    """
    if settings.tls_key_file is not None and settings.tls_cert_file is None:
        raise ConfigurationError("tls_key_file is given, but not tls_cert_file, the certificate that it is the key of")
    if settings.tls_ca_file is not None or settings.tls_cert_file is not None:
        try:
            tls_context(settings)
        except OSError as error:
            raise ConfigurationError(str(error)) from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no such certificate or key in it, or they do not belong together ({error})"
    return error.strerror or str(error)
