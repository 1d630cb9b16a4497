-- Letters that may have gone out already: written before the database was brought back from a copy, or while what was archived is taken in
-- again. They wait until a person says: frontdoor held. A session that brings something back says so itself, and every letter that it writes is
-- held from the beginning, in the commit of what it tells of.
alter table alerts.messages
    add column held_at timestamptz default nullif(current_setting('frontdoor.held_at', true), '')::timestamptz;
