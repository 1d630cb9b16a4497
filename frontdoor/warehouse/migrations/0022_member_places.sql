-- Where a member stands in its file: {} the file itself, {"entry": 2} in an archive, {"sheet": 3} in a workbook. Numbers, never names.
alter table intake.members add column place jsonb not null default '{}';
