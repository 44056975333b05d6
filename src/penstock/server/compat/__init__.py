"""Routes of systems that Penstock takes the place of, for the clients they have.

They answer as those systems do, bodies and codes included, but for their faults.
"""
