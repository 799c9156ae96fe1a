"""What must be true before a change: pure functions from observations to findings.

A finding of severity `unknown` says what the service cannot see from where it is; a procedure turns
each of them into a gate that an operator attests. Nothing unknown passes for good.
"""
