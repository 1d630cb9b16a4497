-- The schemas of the house and who may look into them. DESIGN section 4.
create schema if not exists intake;
create schema if not exists raw;
create schema if not exists quality;
create schema if not exists warehouse;
create schema if not exists alerts;
create schema if not exists reference;
create schema if not exists staging;
create schema if not exists core;
create schema if not exists worklists;
create schema if not exists indicators;
create schema if not exists bi;
