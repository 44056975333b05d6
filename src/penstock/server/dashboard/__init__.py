"""``/dashboard``: the page on jobs, for who can log in."""
