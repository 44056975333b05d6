"""Signature Version 4, against AWS's published examples and botocore."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4PostAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores.s3.signing import (
    UNSIGNED,
    Credentials,
    encoded,
    presigned,
    query_string,
    signed,
    signed_form,
)

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


def test_the_published_example_of_a_query_is_signed_alike() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    query = presigned(
        EXAMPLE,
        "us-east-1",
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        [],
        datetime(2013, 5, 24, tzinfo=UTC),
        86_400,
    )

    assert query == (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


@contextmanager
def botocore_at(now: datetime) -> Iterator[None]:
    """Let botocore take this for the time."""
    with patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: now):
        yield


@given(
    name=words,
    query=st.dictionaries(words, words, max_size=3),
    token=st.none() | st.just("a/token+of=STS"),
)
def test_botocore_presigns_alike(name: str, query: dict[str, str], token: str | None) -> None:
    host, path = "s3.example.org:9000", f"/bucket/{encoded(name, '/')}"
    theirs = AWSRequest("PUT", f"http://{host}{path}", params=query)
    credentials = BotoCredentials(*EXAMPLE[:2], token)
    with botocore_at(NOW):
        S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=77).add_auth(theirs)

    ours = presigned(
        EXAMPLE._replace(token=token), "eu-west-1", "PUT", host, path, query.items(), NOW, 77
    )

    assert dict(parse_qsl(ours)) == dict(parse_qsl(urlsplit(theirs.url).query))


@pytest.mark.parametrize("token", [None, "a/token+of=STS"])
def test_botocore_signs_forms_alike(token: str | None) -> None:
    fields = {"key": "a b/é.txt", "content-type": "text/plain"}
    conditions = [{"bucket": "b"}, ["content-length-range", 0, 10]]
    ours = signed_form(EXAMPLE._replace(token=token), "eu-west-1", fields, conditions, NOW, 3600)
    policy = json.loads(b64decode(ours["policy"]))
    theirs = AWSRequest("POST", "http://s3.example.org/b")
    # What botocore adds to the policy by itself is left out of the one that it is given.
    kept = [item for item in policy["conditions"] if not any("x-amz-" in str(n) for n in item)]
    theirs.context["s3-presign-post-policy"] = {**policy, "conditions": kept}
    theirs.context["s3-presign-post-fields"] = dict(fields)
    with botocore_at(NOW):
        S3SigV4PostAuth(BotoCredentials(*EXAMPLE[:2], token), "s3", "eu-west-1").add_auth(theirs)

    assert ours == theirs.context["s3-presign-post-fields"]
    assert policy["expiration"] == "2026-02-03T05:05:06Z"
