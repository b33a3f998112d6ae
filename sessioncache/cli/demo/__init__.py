"""`sessioncache demo`: real conversations, many agents, several processes, and a proof that nothing was lost.

```
           turns as JSON lines             ┌─ process 1 ── agents 1, 3, 5 … ─┐
 dispatcher ──────────────────────────────▶│                                 ├──▶ Redis ◀── worker: sweeps
     │      ◀──── done, latencies ─────────└─ process 2 ── agents 2, 4, 6 … ─┘      ▲
     └── person: renames and pins what agents are writing ──────────────────────────┘
```

The rule of this package: what is proven is read back through a client that took no part in the writing.
"""
