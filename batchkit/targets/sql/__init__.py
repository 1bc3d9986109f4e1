"""A database table as a target: SQLite by Python's own driver, PostgreSQL by psycopg's COPY.

One chunk is one transaction. Each row is compared with its before-image inside the statement that writes it;
a row the database refuses is left out with the database's own reason, and the rest goes in.
"""
