"""tus 1.0, the resumable upload protocol."""
