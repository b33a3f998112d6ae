"""A certificate authority for a day, and a certificate for 127.0.0.1, made with the openssl binary."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sessioncache.embedded import TLS
from sessioncache.errors import ConfigurationError


def make(folder: Path) -> TLS:
    """Create authority, key and certificate in the folder.

    Raises:
        ConfigurationError: There is no openssl on PATH.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise ConfigurationError("no openssl on PATH to make certificates with")
    tls = TLS(cert=folder / "server.pem", key=folder / "server.key", ca=folder / "ca.pem")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1")
    authority = ("-keyout", str(folder / "ca.key"), "-subj", "/CN=sessioncache tests", "-out", str(tls.ca))
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    signing = ("-CA", str(tls.ca), "-CAkey", str(folder / "ca.key"))
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    _run(openssl, "req", "-x509", *new_key, *usage, *authority)
    request = folder / "server.csr"
    extensions = folder / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=critical,CA:FALSE\n")
    _run(openssl, "req", *new_key, *names, *leaf, "-keyout", str(tls.key), "-out", str(request))
    issue = ("-in", str(request), "-days", "1", "-CAcreateserial", "-extfile", str(extensions), "-out", str(tls.cert))
    _run(openssl, "x509", "-req", *signing, *issue)
    return tls


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        raise ConfigurationError(f"openssl failed: {done.stderr.strip()}")
