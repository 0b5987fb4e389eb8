"""An S3 on loopback: moto's server, and a client to look into it with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from integrations.models import Connection

SECRET = "s3cret-Of-The-Bucket"
_REGION = "eu-central-1"


class S3:
    """The server at ``address``; ``client`` is boto3's."""

    def __init__(self, address: str, client: Any) -> None:
        self.address, self.client = address, client

    def connection(self, name: str, path: str, **values: Any) -> Connection:
        """Make a connection that leads to ``path``, a bucket and folders in it."""
        return Connection.objects.create(
            name=name,
            kind="s3",
            base_url=f"{self.address}/{path}",
            auth="aws",
            auth_settings={"region": _REGION},
            credentials={"access_key_id": "AKIAEXAMPLE", "secret_access_key": SECRET},
            **values,
        )

    @contextmanager
    def bucket(self, name: str) -> Iterator[None]:
        """Make a bucket, and remove it with what it holds: moto keeps its buckets for as long as the process lives."""
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": _REGION})
        try:
            yield
        finally:
            for key in self.content(name):
                self.client.delete_object(Bucket=name, Key=key)
            self.client.delete_bucket(Bucket=name)

    def content(self, bucket: str) -> dict[str, bytes]:
        """Return what the bucket holds, by its names."""
        keys = [found["Key"] for found in self.client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@contextmanager
def s3() -> Iterator[S3]:
    """Start the server."""
    running = import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": SECRET, "region_name": _REGION}
    client = import_module("boto3").client("s3", endpoint_url=f"http://{host}:{port}", **keys)
    try:
        yield S3(f"http://{host}:{port}", client)
    finally:
        client.close()
        running.stop()
