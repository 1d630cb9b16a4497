"""S3's kind of object store: moto."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOT_HERE = "the packages for object stores are not installed: make stores"


@contextmanager
def bucket() -> Iterator[str]:
    """Yield the address of an empty bucket."""
    server_of = pytest.importorskip("moto.server", reason=NOT_HERE)
    s3fs = pytest.importorskip("s3fs", reason=NOT_HERE)
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patched.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        name = f"frontdoor-{uuid.uuid4().hex[:12]}"
        s3fs.S3FileSystem().mkdir(name)
        try:
            yield f"s3://{name}"
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.stop()


@contextmanager
def away() -> Iterator[None]:
    """Let nothing answer at its address."""
    import s3fs

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patched.setattr(s3fs.S3FileSystem, "retries", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        yield
    s3fs.S3FileSystem.clear_instance_cache()


def told() -> dict[str, dict[str, str]]:
    """Say by fsspec's names where it is and who we are."""
    key, secret, url = (os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL"))
    return {"s3": {"key": key, "secret": secret, "endpoint_url": url}}


def put(bucket: str, key: str, content: bytes, folder: bool) -> None:
    """Put an object; a folder is one whose key ends with a slash."""
    import boto3

    assert key.endswith("/") == folder
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
