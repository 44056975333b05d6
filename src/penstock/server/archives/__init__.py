"""``/v1/archives``: folders that become ZIPs inside the store, in the background."""
