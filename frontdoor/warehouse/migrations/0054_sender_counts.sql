-- What a sender says of a delivery beside its records: how many it sends (unread and repeated ones among them), as of when, and by which version of
-- the contract. Only what has the form of a count, a time or a version; null: it does not say.
alter table intake.deliveries add column sender_row_count bigint check (sender_row_count >= 0);
alter table intake.deliveries add column extract_as_of timestamptz;
alter table intake.deliveries add column sender_contract_version text;
