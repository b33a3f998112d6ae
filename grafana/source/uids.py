"""The names under which dashboards link to each other; they stay, since people keep them as bookmarks."""

from typing import Final

FLEET: Final = "sessioncache-fleet"
WORKERS: Final = "sessioncache-workers"
REDIS: Final = "sessioncache-redis"
DATA: Final = "sessioncache-data"
COST: Final = "sessioncache-cost"
