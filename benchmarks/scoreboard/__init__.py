"""`make scoreboard`: public data by published protocols, finlake's figures beside the published ones."""
