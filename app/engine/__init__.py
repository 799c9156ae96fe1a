"""The engine: carries jobs out, step by step, so that any interruption is survived by looking.

`runner.Runner.advance` takes one job as far as it goes; `ports` says what it needs of storage and
queue; `memory` is a whole engine without a database, for tests and rehearsals.
"""
