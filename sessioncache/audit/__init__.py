"""Audits: a namespace held against every promise of the data model, read-only, beside those who write.

```python
from sessioncache import audit

report = await audit.run(cache)
assert report.clean, report.found
```
"""

from sessioncache.audit.kinds import KINDS, Kind
from sessioncache.audit.report import AuditReport, Finding, Found
from sessioncache.audit.run import PACE, run

__all__ = ["KINDS", "PACE", "AuditReport", "Finding", "Found", "Kind", "run"]
