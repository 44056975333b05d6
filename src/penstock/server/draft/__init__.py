"""Resumable uploads as the IETF has them (draft-ietf-httpbis-resumable-upload)."""
