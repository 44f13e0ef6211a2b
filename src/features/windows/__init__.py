"""Windows: what the rows of an entity come to before a decision. Arrays in, arrays out; no Spark."""

NEVER = 2**63 - 1  # microseconds: this version has not been replaced
