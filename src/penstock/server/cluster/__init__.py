"""``/live`` and ``/v1/nodes``: the locator, where the files are in a cluster."""
