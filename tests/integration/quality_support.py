"""A small house for the tests of reading and judging: a feed with every kind of property, two senders, few rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from frontdoor import quality
from frontdoor.contract import Agency, AgencyFeed, Element, Feed, House, Layout, Property, Rule
from frontdoor.warehouse.checks import publish_checks
from frontdoor.warehouse.raw_tables import ensure_raw_tables

RECEIVED = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
AGENCY, FEED = "tester", "trial"


def prop(
    name: str, kind: str = "string", *, is_list: bool = False, code_list: str | None = None, technical: bool = False
) -> Property:
    return Property(name, kind, is_list, "optional", "internal", code_list, technical, f"{name} of the trial")


def record_rule(rule_id: str, fails_when: str, applies_when: str = "true", **changes: Any) -> Rule:
    return _rule(
        rule_id, "expect_records_to_keep_rule", {"applies_when": applies_when, "fails_when": fails_when}, **changes
    )


def rows_rule(rule_id: str, query: str, **changes: Any) -> Rule:
    made = _rule(rule_id, "unexpected_rows_expectation", {"unexpected_rows_query": query}, **changes)
    return replace(made, scope=changes.get("scope", "delivery"))


def file_rule(rule_id: str) -> Rule:
    return replace(_rule(rule_id, "reader", {}), scope="file", feed="file")


def _rule(rule_id: str, kind: str, expectation: dict[str, Any], **changes: Any) -> Rule:
    made = Rule(
        rule_id=rule_id,
        feed=FEED,
        severity="warning",
        dimension="completeness",
        score_dimension="completeness",
        scope="record",
        sentence=f"What {rule_id} says.",
        what_to_do="Mend it.",
        recipient_role="liaison",
        applies_to=(),
        expectation_type=kind,
        expectation=MappingProxyType(expectation),
    )
    return replace(made, **changes)


def house(*rules: Rule, elements: Sequence[Element] = (), agency: Mapping[str, Any] = MappingProxyType({})) -> House:
    """The house; `agency`: changes of what the sender agreed."""
    feed = Feed(
        code=FEED,
        title="Trial",
        version="1.0.0",
        delivery_mode="increment",
        worklist=None,
        timezone="Europe/London",
        key_properties=("ref", "child_ref"),
        child_properties=("child_ref",),
        reference_property="ref",
        properties=(
            prop("ref"),
            prop("child_ref"),
            prop("forename"),
            prop("story", "narrative"),
            prop("answer", "code", code_list="yes_no"),
            prop("answers", "code", is_list=True, code_list="yes_no"),
            prop("names", is_list=True),
            prop("born", "date"),
            prop("seen_at", "timestamp"),
            prop("number", "integer"),
            prop("system_id", technical=True),
        ),
        elements=tuple(elements),
        rules=tuple(rules),
        service_levels=MappingProxyType({}),
    )
    agreed = AgencyFeed(
        agency=AGENCY,
        feed=FEED,
        source=FEED,
        version="1",
        valid_from=date(2020, 1, 1),
        valid_to=None,
        format="csv",
        headers=MappingProxyType({}),
        codes=MappingProxyType({"yes_no": MappingProxyType({"Aye": "yes", "¡No!": "no"})}),
        list_separator=";",
        date_formats=("YYYY-MM-DD", "DD/MM/YYYY", "DD Mon YYYY", "DD/MM/YY"),
        timestamp_formats=("YYYY-MM-DD HH24:MI", "DD/MM/YYYY HH24:MI"),
    )
    layout = Layout(
        "trial_return",
        "Return",
        (FEED,),
        "xml",
        {FEED: {"fields": {"ref": "Ref", "forename": "Name"}}},
        "Europe/London",
    )
    return House(
        feeds={FEED: feed},
        agencies={
            AGENCY: Agency(AGENCY, "Tester", "police", "E08000024", "Europe/London", "england", "liaison"),
            "townspeople": Agency(
                "townspeople", "Public", "public", "E08000024", "Europe/London", "england", "liaison"
            ),
        },
        layouts={layout.code: layout},
        agency_feeds=(replace(agreed, **agency),),
        file_rules=(file_rule("FIL-001"), file_rule("FIL-009"), file_rule("FIL-011"), file_rule("FIL-033")),
    )


def prepare(connection: Any, of: House) -> None:
    """Tables, catalogue and elements of the house; empty of deliveries."""
    ensure_raw_tables(connection, of)
    publish_checks(connection, of)
    quality.publish_sufficiency_elements(connection, of)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"truncate raw.{FEED}, raw.{FEED}_read, intake.files, quality.findings restart identity cascade")


def deliver(
    connection: Any,
    records: Iterable[Mapping[str, Any]],
    *,
    agency: str = AGENCY,
    source: str = FEED,
    received_at: datetime = RECEIVED,
    dead: int = 0,
) -> int:
    """Put records into raw.trial as intake would; committed. Returns the delivery id."""
    rows = list(records)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into intake.files
                (agency_code, source, file_name, taken_token, sha256_received, sha256_stored, size_bytes,
                received_at, status)
            values (%s, %s, 'a', gen_random_uuid()::text, 'a', 'a', 1, %s, 'received') returning file_id
            """,
            (agency, source, received_at),
        )
        (file_id,) = cursor.fetchone()
        cursor.execute(
            """
            insert into intake.deliveries (
                file_id, member_no, agency_code, source, feed, contract_version, agency_version, status, size_bytes,
                received_at, records_in, records_loaded, records_dead
            ) values (%s, 1, %s, %s, %s, '1.0.0', '1', 'loaded', 1, %s, %s, %s, %s) returning delivery_id
            """,
            (file_id, agency, source, FEED, received_at, len(rows) + dead, len(rows), dead),
        )
        (delivery_id,) = cursor.fetchone()
        cursor.execute("select raw.ensure_partition(%s, %s)", (FEED, received_at))
        cursor.execute(
            f"""
            insert into raw.{FEED}
            select made.* from jsonb_array_elements(%s::jsonb) as given,
                jsonb_populate_record(null::raw.{FEED}, given) as made
            """,
            (
                json.dumps(
                    [
                        {
                            "extra": {},
                            **row,
                            "_agency_code": agency,
                            "_delivery_id": delivery_id,
                            "_record_no": number,
                            "_received_at": received_at.isoformat(),
                        }
                        for number, row in enumerate(rows, start=1)
                    ]
                ),
            ),
        )
    return int(delivery_id)


def read(connection: Any, of: House, *delivery_ids: int) -> None:
    quality.read(connection, of, delivery_ids)
    connection.commit()


def rows(connection: Any, sql: str, parameters: Any = None) -> list[Any]:
    """One column as values, more as tuples."""
    with connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] if len(row) == 1 else row for row in cursor]
