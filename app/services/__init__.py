"""Use cases: what a caller can ask for, free of HTTP, SQL and SSH.

Services speak to storage, engine and appliances through `app.services.ports`, and answer failures
with `app.services.problems.Problem`. None of them commits: a `Store.transaction()` does, when its
block ends well.
"""
