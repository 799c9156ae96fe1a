"""An Expressway in domain words: what it says of itself, and what can be done to it.

Turns observations and acts into the settings, commands and operations of `transports`, by the
version profile of the peer. Knows no procedure, no job and no HTTP caller.
"""
