"""Slow lines, made and removed by one command each: ``python -m tools.netshape --help``.

Needs the standard library and iproute2 only, so that root can run it without this environment.
"""
