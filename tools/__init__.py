"""What those who work on Penstock run; none of it is shipped."""
