"""Feature definitions: what they mean, their batch execution, training sets, and the leakage auditor."""
