"""``/s3``: browsers send files to S3 itself, as Companion's S3 routes let them."""
