"""2,000 delimited files with one fault each: every one is read as it was meant, or says what is wrong; most are read right."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from frontdoor.contract import load_house
from frontdoor.intake.content import Content
from frontdoor.intake.contents import probe
from frontdoor.intake.readers import headers
from frontdoor.intake.readers.delimited import DelimitedReader
from frontdoor.intake.readers.rows import Lineage
from tests.corpora import polluted as corpus

FILES = 2_208
# Read right: every record that the fault left whole comes out as it was meant, and where one did not, the fault is named.
READ_RIGHT = 0.95
csv.field_size_limit(2**24)
LINEAGE = Lineage("wearside_police", 7, datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture(scope="module")
def words() -> headers.Vocabulary:
    properties = [each for each in load_house().feeds["police"].properties if each.name in corpus.COLUMNS]
    return headers.vocabulary(properties, {})


def outcome(path: Path, words: headers.Vocabulary) -> tuple[list[dict[str, str]], set[str]]:
    """The records that come out, and everything that is said of the file."""
    if probe.refusal(Content(path), None):
        return [], {corpus.REFUSED}
    reader = DelimitedReader(Content(path), words, LINEAGE)
    with closing(reader.tally) as tally:
        rows = sorted(reader.rows())
        said = {rule for _, rule in tally.faults()} | ({corpus.DEAD} if tally.dead else set())
    return [_record(row.line.decode(), reader) for row in rows], said


def _record(line: str, reader: DelimitedReader) -> dict[str, str]:
    (cells,) = csv.reader(io.StringIO(line, newline=""), delimiter=reader.delimiter, quotechar=reader.quote)
    read = dict(zip(reader.columns, cells[4:], strict=False))
    return {name: read.get(name, "").strip() for name in corpus.COLUMNS}


def judged(
    folder: Path, words: headers.Vocabulary
) -> Iterator[tuple[int, corpus.Polluted, list[dict[str, str]], set[str]]]:
    for number in range(FILES):
        made = corpus.polluted(number)
        path = folder / "file"
        path.write_bytes(made.content)
        records, said = outcome(path, words)
        yield number, made, records, said


def test_no_polluted_file_is_wrong_in_silence_and_most_are_read_right(
    tmp_path: Path, words: headers.Vocabulary
) -> None:
    silent: list[str] = []
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for number, made, records, said in judged(tmp_path, words):
        meant = [{name: cell.strip() for name, cell in each.items()} for each in made.meant]
        is_named = bool(said & made.named_by)
        spoiled = len(meant) - sum(each in records for each in meant)
        total[made.kind] += 1
        right[made.kind] += is_named if made.harms is None else spoiled <= made.harms and (records == meant or is_named)
        if records != meant and not is_named:
            silent.append(f"polluted({number}): {made.kind}: says {sorted(said) or 'nothing'}")
    assert len(total) == len(corpus.FAULTS) > 40
    assert not silent, f"{len(silent)} files are wrong in silence; the first: {silent[:10]}"
    less = {kind: f"{right[kind]} of {total[kind]}" for kind in total if right[kind] < total[kind]}
    assert sum(right.values()) / FILES >= READ_RIGHT, less
