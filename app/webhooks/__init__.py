"""Webhooks on their way out: address guard, signature, one attempt, and who sends when."""
