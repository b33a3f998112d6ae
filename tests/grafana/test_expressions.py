"""The judge of expressions finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.grafana.expressions import problems


@pytest.mark.parametrize(
    "expr",
    [
        'sum by (call) (rate(sessioncache_calls_total{outcome="failed",error=~"backend_full|decode"}[5m]))',
        'histogram_quantile(0.9, sum by (le) (rate(sessioncache_call_duration_seconds_bucket{job=~"$job"}[5m])))',
        'max by (job, node) (sessioncache_server_up{node="0"})',
        'sum (rate(sessioncache_worker_findings_total{finding!~".*bytes|torn"}[5m]))',
        'count (ALERTS{alertstate="firing"})',
    ],
)
def test_what_the_catalogue_knows_is_fine(expr: str) -> None:
    """Metrics with their labels and declared values are not complained of."""
    assert list(problems(expr)) == []


@pytest.mark.parametrize(
    "expr,said",
    [
        ("sessioncache_calls", "there is no metric sessioncache_calls"),
        ("sessioncache_call_duration_seconds", "there is no metric sessioncache_call_duration_seconds"),
        ("sessioncache_calls_total_bucket", "there is no metric sessioncache_calls_total_bucket"),
        ("job:sessioncache_x:y", "there is no metric job:sessioncache_x:y"),
        ('sessioncache_calls_total{task="prune"}', "sessioncache_calls_total has no label task"),
        ('sessioncache_calls_total{error="oom"}', "error is never 'oom'"),
        ('sessioncache_worker_findings_total{finding=~"torn|x.*"}', "finding is never 'x.*'"),
        ("sum by (node) (sessioncache_calls_total)", "no metric in it has the label node"),
        ("sum by (le) (sessioncache_call_duration_seconds_count)", "no metric in it has the label le"),
        ("vector(1)", "it asks for no metric"),
    ],
)
def test_what_it_does_not_know_is_named(expr: str, said: str) -> None:
    """A metric, label or value that is not declared is named."""
    assert list(problems(expr)) == [said]
