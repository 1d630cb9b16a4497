-- Whether the child is under one or unborn, kept with each telling. In what was kept it is null: nothing is taken for a risk that went.
alter table if exists core.fct_notification_version add column if not exists is_infant boolean;
alter table if exists core.fct_contact_version add column if not exists is_infant boolean;
alter table if exists core.fct_visit_version add column if not exists is_infant boolean;
