"""Load: many users at once on a running server, every byte checked, and what stays."""
