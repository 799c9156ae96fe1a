"""The REST API: what goes over HTTP, and nothing else. It sees services only."""
