-- How what could not be read was followed up. A child may be in it: closing it says how whoever decides came to know all the same.
alter table quality.dead_letters add column outcome text
check (outcome in ('sent_again', 'told_by_telephone', 'held_nothing', 'read_after_all'));
-- A role, never a person. Null: the house, which read it after all.
alter table quality.dead_letters add column closed_by_role text;
