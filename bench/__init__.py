"""Penstock and its peers in turn: CPU, wall time and memory. See ``bench/__main__.py``."""
