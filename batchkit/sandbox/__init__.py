"""A practice server: a small REST API with faults to order, for trying things out without an account.

    python -m batchkit.sandbox --port 8000 --fault "429:5%:retry-after=2" --fault "reset:1%" --latency 50ms

    /items?ids=a,b     the items with these ids: {"items": [...]}
    /items             POST creates (409 when it is there; an `Idempotency-Key` is honoured)
    /items/{id}        GET, PUT (creates or replaces), PATCH (sets fields), DELETE
    /messages          POST appends a message, each time it is asked
    /_sandbox          what arrived; PUT {"faults": [...], "latency": "50ms"} gives new orders

Every request is on record in an SQLite file, so that a test can count what truly arrived.
"""
