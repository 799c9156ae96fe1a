"""Rehearsals, and a search for what breaks them: service and fleet in one process, virtual time.

`python -m simulation RUNS SEED` plays stories drawn from seeds (simulation.story) and checks the
laws (simulation.laws) on each.
"""
