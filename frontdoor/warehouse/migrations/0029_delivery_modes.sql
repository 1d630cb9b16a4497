-- A sender may agree to send what is new or changed (increment) where the contract of the feed asks for the whole list (snapshot), or the
-- other way round. What a delivery was under stands with it; of those before this, the contract of the feed says it.

alter table reference.agency_feeds add column delivery_mode text;
alter table intake.deliveries add column delivery_mode text;
