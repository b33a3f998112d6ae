"""The background workers of sessioncache: arq carries shard jobs, `sessioncache.maintenance` does them.

The rule of this package: no logic. A job is a lease, a call and a report.
"""
