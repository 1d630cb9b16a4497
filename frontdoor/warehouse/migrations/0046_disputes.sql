-- What a sender answers to a receipt: that a finding is wrong (a dispute, ours to settle), or that nothing need be done about it. It changes no
-- finding, verdict, list or indicator; where a dispute is upheld, the step that follows does. The texts may name a child: never in a log or letter.
create table quality.disputes (
    dispute_id bigint generated always as identity primary key,
    delivery_id bigint not null references intake.deliveries (delivery_id),
    rule_id text not null,
    -- Null: all that the rule found in the delivery; 0: the file as a whole.
    record_no bigint,
    answer text not null check (answer in ('dispute', 'no_action')),
    -- The sender's own words.
    reason text not null check (length(reason) between 1 and 500),
    -- A role, never a person.
    by_role text not null,
    answered_at timestamptz not null,
    -- By when we are to settle it, and who; a "no action needed" waits for nobody.
    due_at timestamptz,
    owner_role text,
    outcome text check (outcome in ('upheld', 'rejected')),
    -- What follows where it was upheld.
    next_step text check (next_step in ('waiver', 'rule_withdrawal', 'label_mapping')),
    -- Our own words, which the sender reads in its next receipt.
    settlement text check (length(settlement) between 1 and 300),
    settled_by_role text,
    settled_at timestamptz,
    check ((answer = 'dispute') = (due_at is not null) and (answer = 'dispute') = (owner_role is not null)),
    check ((outcome is null) = (settled_at is null) and (outcome is null) = (settlement is null)),
    check ((outcome is null) = (settled_by_role is null)),
    check (outcome is null or answer = 'dispute'),
    check ((next_step is not null) = coalesce(outcome = 'upheld', false))
);
-- One answer to one question at a time; what is settled is history.
create unique index disputes_not_settled on quality.disputes (delivery_id, rule_id, coalesce(record_no, -1)) where outcome is null;
