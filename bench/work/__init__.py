"""How much the server works for an operation, counted, not timed: ``python -m bench.work``.

A busy or a slow machine changes how long something takes; it does not change how many bytes pass
through the program, how often a file is synced, or how many statements the database is sent. So
these counts are compared with those of ``baseline.json``, and a change that adds to them is seen
on any machine. Counts that depend on the moment (pieces in which a socket hands bytes over,
context switches, instructions, which also differ by processor) are left out.
"""
