"""Names of a cluster: which records are expected, and what the peers' own name servers answer.

Everything but `lookup` is pure; `lookup` is the only module that sends anything.
"""
