-- The outbox. Roles, never people; ids, counts and rule ids, never a child.

-- One row per message to one role about one delivery (or one file).
create table alerts.messages (
    message_id uuid primary key,
    delivery_id bigint references intake.deliveries (delivery_id),
    file_id bigint references intake.files (file_id),
    agency_code text not null,
    recipient_role text not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null,
    sent_at timestamptz,
    attempts integer not null default 0,
    next_attempt_at timestamptz
);
create index messages_unsent on alerts.messages (created_at) where sent_at is null;
create index on alerts.messages (delivery_id);
