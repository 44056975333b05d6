"""``/v1/uploads``: uploads that can be resumed, whichever protocol the client speaks."""
