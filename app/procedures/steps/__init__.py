"""The kinds of steps that procedures are made of: how each is planned, looked at and done.

Every module pairs the functions that plan its steps with the handlers that run them.
"""
