-- What to ask where an element was not told: in the sender's words, by rank (1 first), and whether an answer of "not known" is asked about again.
alter table quality.sufficiency_elements add column question text;
alter table quality.sufficiency_elements add column ask_rank integer;
alter table quality.sufficiency_elements add column is_asked_again boolean not null default false;

-- The number to ring about a record, as its sender gave it. Made anew for the feeds that are there (frontdoor/quality/questions.py).
create view quality.reach (delivery_id, record_no, received_at, number) as
select null::bigint, null::bigint, null::timestamptz, null::text where false;
