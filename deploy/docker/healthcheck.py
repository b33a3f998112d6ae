"""Whether the worker of this container is alive: exit code 0 or 1, for HEALTHCHECK. Kubernetes asks the port itself."""

import os
import sys
from urllib.request import urlopen


def main() -> int:
    """Ask /livez, which says nothing about Redis: an outage of Redis restarts no worker."""
    port = os.environ.get("SESSIONCACHE_WORKER_PORT", "9464")
    try:
        with urlopen(f"http://127.0.0.1:{port}/livez", timeout=3) as answer:
            return 0 if answer.status == 200 else 1  # noqa: PLR2004 - HTTP's word for yes
    except OSError as error:
        print(f"the worker does not answer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
