"""Tags of an object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from penstock.errors import BadRequest

_MOST: Final = 10
_LONGEST_KEY: Final = 128
_LONGEST_VALUE: Final = 256


def tagging(tags: Mapping[str, str]) -> dict[str, str]:
    """The field that gives them to an object that is being created.

    :raises BadRequest: S3 does not take as many, or not as long ones.
    """
    if len(tags) > _MOST:
        raise BadRequest(f"a file in S3 has at most {_MOST} tags; leave some out")
    for key, value in tags.items():
        if not 1 <= len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise BadRequest(
                f"a tag in S3 has a key of 1 to {_LONGEST_KEY} characters and a value of at most "
                f"{_LONGEST_VALUE}; shorten {key[:_LONGEST_KEY]!r}"
            )
    return {"x-amz-tagging": urlencode(tags, safe="", quote_via=quote)} if tags else {}
