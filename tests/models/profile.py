"""How long the models are played.

Without a word they are played the same way every time (derandomized), in a few seconds each. SESSIONCACHE_MODELS=deep
plays ten times as many games, and others at every run. A failure prints its steps as a program, and the decorator that
plays them again.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

__all__ = ["game"]

DEEP = os.environ.get("SESSIONCACHE_MODELS") == "deep"


def game(*, games: int, steps: int = 50) -> settings:
    """Settings of one model: how many games, and how many steps each; ten times as many games in the deep profile."""
    return settings(
        max_examples=games * 10 if DEEP else games,
        stateful_step_count=steps,
        derandomize=not DEEP,
        database=None,
        deadline=None,
        print_blob=True,
        # Not Phase.explain: it traces every line, which takes longer than the game.
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
