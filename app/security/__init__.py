"""Who may do what, and how secrets are kept: vault, API keys, redaction, the address guard."""
