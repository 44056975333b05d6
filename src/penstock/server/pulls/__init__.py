"""``/v1/pulls``: files of other servers, fetched into the store in the background."""
