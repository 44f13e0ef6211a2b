"""The leakage auditor: what the definitions say, and what a bounded sample of the rows shows."""
