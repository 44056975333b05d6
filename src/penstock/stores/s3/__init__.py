"""The store in S3.

Imports nothing: options are read where the store is not needed.
"""
