"""The XML of S3 as servers really send it."""

import pytest

from penstock.stores.s3.documents import Part, complete_request, completed_etag, parse
from penstock.stores.s3.trouble import Refused


def test_white_space_may_come_before_an_answer() -> None:
    body = (
        b'  \n <?xml version="1.0" encoding="UTF-8"?>'
        b'<CompleteMultipartUploadResult><ETag>"abc-2"</ETag></CompleteMultipartUploadResult>'
    )

    assert completed_etag(body) == "abc-2"


@pytest.mark.parametrize(
    ("code", "status", "passing"),
    [
        ("InternalError", 500, True),
        ("SlowDown", 503, True),
        ("PreconditionFailed", 412, False),
        ("NoSuchUpload", 404, False),
        ("EntityTooSmall", 400, False),
    ],
)
def test_an_error_with_status_200_is_the_one_that_it_names(
    code: str, status: int, passing: bool
) -> None:
    with pytest.raises(Refused) as raised:
        completed_etag(f"<Error><Code>{code}</Code></Error>".encode())

    assert (raised.value.status, raised.value.passing) == (status, passing)


def test_what_is_told_of_parts_is_escaped() -> None:
    root = parse(complete_request([Part(1, "a<&>b"), Part(2, "c", "AAAA+w==")]))

    assert [[field.text for field in part] for part in root] == [
        ["1", '"a<&>b"'],
        ["2", '"c"', "AAAA+w=="],
    ]
