"""redis-py clients with every time limit set and every retry of the driver's own turned off.

The rule of this module: the driver repeats nothing. A command that timed out may have run, so only the layer that knows
its operation id may send it again.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sessioncache.settings import Settings
from sessioncache.transport.colour_async import (
    Pool,
    QuickConnection,
    QuickSentinelConnection,
    QuickSentinelSSLConnection,
    QuickSSLConnection,
    QuickUnixConnection,
    RenewingSSLConnection,
    driver_timeout_s,
    sentinel_pool,
)
from sessioncache.transport.endpoint import Endpoint

__all__ = ["cluster_client", "sentinel_clients", "sentinel_options", "server_client"]


def connection_options(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    """Options of one connection, host and port excepted."""
    options: dict[str, Any] = {
        "username": endpoint.username,
        "password": endpoint.password,
        "client_name": settings.client_name,
        "socket_timeout": driver_timeout_s(settings.command_timeout_ms),
        "socket_connect_timeout": settings.connect_timeout_ms / 1000,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if endpoint.tls:
        # The driver's async connections pass over a certificate whose key is not said to be in the same file.
        key = settings.tls_key_file or settings.tls_cert_file
        options |= {
            "ssl_ca_certs": str(settings.tls_ca_file) if settings.tls_ca_file else None,
            "ssl_certfile": str(settings.tls_cert_file) if settings.tls_cert_file else None,
            "ssl_keyfile": str(key) if key else None,
            "ssl_check_hostname": settings.tls_check_hostname,
        }
    if endpoint.kind != "unix":
        options["socket_keepalive"] = True
    return options


def server_client(settings: Settings, endpoint: Endpoint) -> Redis:
    """A client of the one server that the endpoint names."""
    options = connection_options(settings, endpoint)
    if endpoint.kind == "unix":
        options |= {"connection_class": QuickUnixConnection, "path": endpoint.path}
        options.pop("socket_connect_timeout")
    else:
        host, port = endpoint.hosts[0]
        options |= _address(endpoint, host, port)
    return Redis(connection_pool=_pool(settings, db=endpoint.db, **options))


def cluster_client(settings: Settings, endpoint: Endpoint, host: str, port: int) -> Redis:
    """A client of one node of the cluster."""
    options = connection_options(settings, endpoint) | _address(endpoint, host, port)
    return Redis(connection_pool=_pool(settings, **options))


def sentinel_clients(settings: Settings, endpoint: Endpoint) -> tuple[Redis, Redis, list[Redis]]:
    """Two clients of whichever server the Sentinels say is the primary, and the Sentinels' own.

    The primary is looked up at every new connection.
    """
    sentinel = Sentinel(endpoint.hosts, sentinel_kwargs=sentinel_options(settings, endpoint))
    for asked in sentinel.sentinels if endpoint.tls else ():
        asked.connection_pool.connection_class = RenewingSSLConnection
    connection_class = QuickSentinelSSLConnection if endpoint.tls else QuickSentinelConnection
    options = connection_options(settings, endpoint) | {"connection_class": connection_class}
    options |= sentinel_pool(settings, timeout_s=_wait_s(settings))
    client, listener = (
        sentinel.master_for(endpoint.service, db=endpoint.db, ssl=endpoint.tls, **options) for _ in range(2)
    )
    return client, listener, sentinel.sentinels


def sentinel_options(settings: Settings, endpoint: Endpoint) -> dict[str, Any]:
    """Options of one connection to a Sentinel."""
    secret = settings.sentinel_password
    return connection_options(settings, endpoint) | {
        "username": settings.sentinel_username,
        "password": secret.get_secret_value() if secret else None,
        "socket_timeout": settings.connect_timeout_ms / 1000,
        "ssl": endpoint.tls,
    }


def _address(endpoint: Endpoint, host: str, port: int) -> dict[str, Any]:
    return {"connection_class": QuickSSLConnection if endpoint.tls else QuickConnection, "host": host, "port": port}


def _pool(settings: Settings, **options: Any) -> Pool:
    return Pool(max_connections=settings.connections_max, timeout=_wait_s(settings), **options)


def _wait_s(settings: Settings) -> int:
    return max(settings.call_timeout_ms // 1000, 1)
