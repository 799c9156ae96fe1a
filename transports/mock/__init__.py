"""A simulated fleet of Expressways, and the transport that reaches it in process."""
