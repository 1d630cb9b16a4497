"""Send figures: to a file that a node exporter reads, to StatsD by UDP, or to a collector by OTLP over HTTP."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from frontdoor.files import write_whole
from frontdoor.monitoring import prometheus
from frontdoor.monitoring.figures import Measured, Sample

# Seconds for a collector to answer; figures are measured anew a minute later.
PATIENCE = 3.0
# What fits into one packet of the usual network.
DATAGRAM_BYTES = 1400


class NotSent(RuntimeError):
    """A collector did not take the figures."""


def push(target: str, measured: Measured) -> int:
    """Send figures to `target` (see settings); return how many values. Raises `OSError` or `NotSent`."""
    scheme, _, rest = target.partition(":")
    if scheme == "file":
        _to_file(Path(rest), prometheus.text(measured))
    elif scheme == "statsd":
        _to_statsd(target, measured)
    else:
        _to_otlp(target.removeprefix("otlp+"), measured)
    return len(measured.samples)


def _to_file(path: Path, text: str) -> None:
    # Never half a file under the name that is read. Others may read it: it holds counts and our own codes.
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, 0o644)


def _to_statsd(target: str, measured: Measured) -> None:
    """As gauges with DogStatsD tags, which StatsD exporter, Telegraf and the agents of vendors read."""
    address = urlsplit(target)
    packets: list[str] = [""]
    for sample in measured.samples:
        line = _statsd_line(sample)
        if packets[-1] and len(packets[-1]) + 1 + len(line) > DATAGRAM_BYTES:
            packets.append("")
        packets[-1] += ("\n" if packets[-1] else "") + line
    found = socket.getaddrinfo(address.hostname, address.port or 8125, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, where = found[0]
    with socket.socket(family, kind, protocol) as sender:
        for packet in packets:
            sender.sendto(packet.encode(), where)


def _statsd_line(sample: Sample) -> str:
    # A sign would make it a difference to the last value; only the age of a clock that is ahead can have one.
    value = f"{max(sample.value, 0.0):.6f}".rstrip("0").rstrip(".")
    tags = ",".join(f"{label}:{of}" for label, of in sample.labels)
    return f"{sample.name}:{value}|g" + (f"|#{tags}" if tags else "")


def _to_otlp(target: str, measured: Measured) -> None:
    # Half a second to import; only here.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
    from opentelemetry.sdk.resources import Resource

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource({"service.name": "frontdoor"}), shutdown_on_exit=False)
    meter = provider.get_meter("frontdoor")
    by_name: defaultdict[str, list[Observation]] = defaultdict(list)
    for sample in measured.samples:
        by_name[sample.name].append(Observation(sample.value, dict(sample.labels)))

    def of(name: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: by_name[name]

    for name in by_name:
        meter.create_observable_gauge(name, [of(name)], description=measured.helps.get(name, ""))
    path = "" if urlsplit(target).path.strip("/") else "/v1/metrics"
    exporter = OTLPMetricExporter(endpoint=target.rstrip("/") + path, timeout=PATIENCE)
    try:
        data = reader.get_metrics_data()
        if data is None or exporter.export(data, timeout_millis=PATIENCE * 1000) is not MetricExportResult.SUCCESS:
            raise NotSent
    finally:
        exporter.shutdown()
        provider.shutdown()
