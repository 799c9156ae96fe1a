"""Clusterway: a REST service that creates and maintains Cisco Expressway clusters."""
