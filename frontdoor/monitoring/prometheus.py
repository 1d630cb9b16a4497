"""Figures in Prometheus' text format, which a scrape of a file or an endpoint reads."""

from __future__ import annotations

from frontdoor.monitoring.figures import Measured, Sample


def text(measured: Measured) -> str:
    """Return all figures, each under its HELP and TYPE; ends with a line break, as the format wants it."""
    lines: list[str] = []
    for name, said in sorted(measured.helps.items()):
        of_it = [sample for sample in measured.samples if sample.name == name]
        if of_it:
            lines += [f"# HELP {name} {said}", f"# TYPE {name} gauge", *map(_line, of_it)]
    return "\n".join(lines) + "\n"


def _line(sample: Sample) -> str:
    labels = ",".join(f'{label}="{_quoted(value)}"' for label, value in sample.labels)
    return f"{sample.name}{{{labels}}} {sample.value!r}" if labels else f"{sample.name} {sample.value!r}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
