"""The servers that are compared: ours, and the best known of others."""
