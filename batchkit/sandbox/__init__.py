"""A practice server: APIs as real ones answer, with faults to order, for trying things without an account.

    batchkit sandbox --port 8000 --fault "429:5%:retry-after=2" --fault "reset:1%" --latency 50ms

    /items?ids=a,b     the items with these ids: {"items": [...]}
    /items             POST creates (409 when it is there; an `Idempotency-Key` is honoured)
    /items/{id}        GET, PUT (creates or replaces), PATCH (sets fields), DELETE
    /messages          POST appends a message, each time it is asked
    /wp-json/          a WordPress site: posts, pages, categories, tags, users/me, types, batch/v1; users
                       demo, admin, editor, author, subscriber, all with the password `practice`
    /v23.0/NUMBER/     WhatsApp's Cloud API: messages, the number itself; the templates of account
                       102290129340398. Any other digits are a phone number; any token will do but `expired`
    /v1/               chat completions of the models practice, practice-small and practice-large
    /_sandbox          what arrived; PUT {"faults": [...], "latency": "50ms"} gives new orders, and
                       {"wrote": ["33612345678"]} opens WhatsApp's window of 24 hours

A status that is ordered answers in the words of the API it befalls: a 429 is WhatsApp's error 130429, or a
page of the web server before WordPress; `400:5%:code=131026` names the code. Every request is on record with
its body in an SQLite file, so that a test can count what truly arrived.
"""
