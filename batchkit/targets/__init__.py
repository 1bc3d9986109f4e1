"""The systems that can be written to: what all share, and a folder for each family.

base        the protocol: Target, FrameTarget, CallTarget; the registry by scheme
exchange    what passes between the engine and a target: Item, Result, Failure, Fate, ...
http/       the floor of all targets behind HTTP
sql/        SQLite and PostgreSQL
rest/       any REST API, by its description
wordpress/  WordPress sites
whatsapp/   messages through WhatsApp's Cloud API
chat/       texts by any server of chat completions
"""
