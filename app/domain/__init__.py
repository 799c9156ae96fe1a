"""The words of the house, in pure Python: what a peer, a plan, a step and a job are.

Standard library only. Ids and times are passed in, never reached for.
"""
