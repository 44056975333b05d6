"""Share links: made by who has a token, used by who has none."""
