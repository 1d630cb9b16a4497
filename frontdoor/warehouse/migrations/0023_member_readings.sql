-- How each member of a file was read. files.reading stays for what is said of the file as a whole.
alter table intake.members add column reading jsonb not null default '{}';
update intake.members set reading = files.reading from intake.files where files.file_id = members.file_id;

-- The dead parts of files of which the rest was read are looked for by every sweep.
create index deliveries_dead on intake.deliveries (file_id) where status = 'dead_letter';
