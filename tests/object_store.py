"""An S3 server on loopback (moto), whose addresses the platform is then given. Its packages: make stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NOT_HERE = "the packages for object stores are not installed: make stores"


@contextmanager
def object_store() -> Iterator[str]:
    """Yield the address of an empty bucket that this process, and children of it, can reach."""
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
        bucket = f"frontdoor-{uuid.uuid4().hex[:12]}"
        s3fs.S3FileSystem().mkdir(bucket)
        try:
            yield f"s3://{bucket}"
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.stop()
