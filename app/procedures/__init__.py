"""The guide's procedures, one module each, and the kinds of steps they are made of."""
