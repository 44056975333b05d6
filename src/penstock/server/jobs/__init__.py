"""``/v1/jobs`` and ``/v1/lanes``: all work in the background, whatever kind it is of."""
