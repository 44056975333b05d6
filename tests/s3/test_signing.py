"""Signature Version 4, against AWS's published examples and botocore."""

import hashlib
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores.s3.signing import UNSIGNED, Credentials, encoded, query_string, signed

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        (
            [("lifecycle", "")],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            [("prefix", "J"), ("max-keys", "2")],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_published_examples_are_signed_alike(
    query: list[tuple[str, str]], signature: str
) -> None:
    headers = signed(
        EXAMPLE,
        "us-east-1",
        "GET",
        "/",
        query_string(query),
        {"Host": "examplebucket.s3.amazonaws.com"},
        datetime(2013, 5, 24, tzinfo=UTC),
        payload=EMPTY,
    )

    assert headers["Authorization"].endswith(
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
    )


class Unsigned(S3SigV4Auth):  # type: ignore[misc]
    """botocore's, that does not hash the body either."""

    def payload(self, request: object) -> str:
        return UNSIGNED


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)
values = st.text("abc XYZ019-_=/+.", min_size=1).map(str.strip)


@given(
    name=words,
    query=st.dictionaries(words, words, max_size=3),
    metadata=st.dictionaries(st.text("abc-", min_size=1), values, max_size=3),
    token=st.none() | st.just("a/token+of=STS"),
)
def test_botocore_signs_alike(
    name: str, query: dict[str, str], metadata: dict[str, str], token: str | None
) -> None:
    path, text = f"/bucket/{encoded(name, '/')}", query_string(query.items())
    headers = {
        "Host": "s3.example.org:9000",
        "Content-Type": "text/plain",
        **{f"x-amz-meta-{key}": value for key, value in metadata.items()},
    }
    url = f"http://s3.example.org:9000{path}{f'?{text}' if text else ''}"
    theirs = AWSRequest("PUT", url, headers)
    signer = Unsigned(BotoCredentials(*EXAMPLE[:2], token), "s3", "eu-west-1")
    signer.add_auth(theirs)
    at = datetime.strptime(theirs.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    ours = signed(EXAMPLE._replace(token=token), "eu-west-1", "PUT", path, text, headers, at)

    assert ours["Authorization"] == theirs.headers["Authorization"]
