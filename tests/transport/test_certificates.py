"""TLS certificates: files that cannot work are refused by name, and those that were replaced are read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis import exceptions as driver

from sessioncache import AsyncSessionCache, ConfigurationError, SessionCache
from sessioncache.embedded import EmbeddedServer
from sessioncache.transport.driver_errors import as_session_cache_error
from tests.engines import Engine, certificates

URL = "rediss://127.0.0.1:1"


@pytest.mark.engines("tls")
async def test_replaced_certificates_are_read_again(engine: Engine, tmp_path: Path) -> None:
    """When authority and certificates are replaced, each kind of connection goes on with the new ones."""
    assert engine.supports("tls")
    tls = certificates.make(tmp_path)
    with EmbeddedServer(binary="redis-server", appendonly=False, tls=tls) as server:
        options: dict[str, Any] = {"url": server.url, "tls_ca_file": tls.ca, "retry_wait_max_ms": 20}
        caches = [AsyncSessionCache.from_url(transport=way, **options) for way in ("multiplex", "redis-py")]
        sync_cache = SessionCache.from_url(**options)
        for _ in range(2):
            for cache in caches:
                await cache.transcripts.append("s", {"n": 1})
            sync_cache.transcripts.append("s", {"n": 1})
            server.kill()
            certificates.make(tmp_path)
            server.start()
        for cache in caches:
            await cache.aclose()
        sync_cache.close()


@pytest.mark.engines("tls")
async def test_replaced_certificates_of_sentinels(engine: Engine, tmp_path: Path) -> None:
    """Servers and Sentinels behind TLS are found, and found again with new certificates."""
    assert engine.supports("tls")
    tls = certificates.make(tmp_path)
    with EmbeddedServer(binary="redis-server", appendonly=False, tls=tls) as server:
        watched: dict[str, str | int | bool] = {
            "sentinel monitor": f"main 127.0.0.1 {server.port} 1",
            "tls-replication": True,
        }
        with EmbeddedServer(binary="redis-server", sentinel=True, tls=tls, options=watched) as sentinel:
            options: dict[str, Any] = {
                "url": f"rediss+sentinel://127.0.0.1:{sentinel.port}/main",
                "tls_ca_file": tls.ca,
                "retry_wait_max_ms": 20,
            }
            caches = [AsyncSessionCache.from_url(transport=way, **options) for way in ("multiplex", "redis-py")]
            sync_cache = SessionCache.from_url(**options)
            for number in range(2):
                for cache in caches:
                    await cache.transcripts.append("s", {"n": number})
                sync_cache.transcripts.append("s", {"n": number})
                if number == 0:
                    server.kill()
                    sentinel.kill()
                    certificates.make(tmp_path)
                    server.start()
                    sentinel.start()
            for cache in caches:
                await cache.aclose()
            sync_cache.close()


@pytest.mark.engines("tls")
def test_files_that_cannot_work_are_named(engine: Engine, tmp_path: Path) -> None:
    """A file that is not there, holds something else or lacks its key is refused before anything is dialled."""
    assert engine.supports("tls")
    tls = certificates.make(tmp_path)
    absent = tmp_path / "absent.pem"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"tls_ca_file": absent}, f"tls_ca_file {absent}: No such file"),
        ({"tls_ca_file": tls.key}, f"tls_ca_file {tls.key}: no such certificate"),
        ({"tls_cert_file": tls.cert}, f"tls_cert_file {tls.cert}, with its key in {tls.cert}: no such"),
        ({"tls_cert_file": tls.cert, "tls_key_file": tmp_path / "ca.key"}, f"tls_cert_file {tls.cert}, with its key"),
        ({"tls_key_file": tls.key}, "tls_key_file is given, but not tls_cert_file"),
    ]
    for options, said in wrong:
        for kind in (AsyncSessionCache, SessionCache):
            with pytest.raises(ConfigurationError) as refused:
                kind.from_url(URL, **options)
            assert said in str(refused.value)
    both = tmp_path / "both.pem"
    both.write_text(tls.cert.read_text() + tls.key.read_text())
    SessionCache.from_url(URL, tls_cert_file=both).close()


@pytest.mark.parametrize(
    "said, advice",
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "tls_ca_file"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate is not valid for '10.0.0.1'", "tls_check_hostname"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "tls_cert_file"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "redis://"),
    ],
)
def test_what_is_wrong_with_tls_is_said(said: str, advice: str) -> None:
    """The message of a failed handshake ends with what to look at."""
    assert advice in str(as_session_cache_error(driver.ConnectionError(said), call="x"))
