"""Networks of accounts: what the payments around an account looked like at a moment, as known then. Frames only."""
