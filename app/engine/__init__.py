"""Runs jobs: takes them, keeps the lease, walks the steps, waits, recovers."""
