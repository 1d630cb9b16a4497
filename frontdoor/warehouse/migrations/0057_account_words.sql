-- The same account told of several matters. Neither function of words raises on any text.

-- Fingerprint of a text's words: alike for texts that differ in case, spaces and punctuation alone. Null where no word is. Signs are taken out one
-- by one: ten times cheaper than translate() or a regular expression, and this is asked of every record. A digest of the house, as those of a
-- server may change.
create function reading.words(sent text) returns bigint
language sql immutable parallel safe
as $body$
    select ('x' || left(md5(nullif(
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                lower(sent),
                E' ', ''), E'\t', ''), E'\r', ''), E'\n', ''), E'\u00a0', ''), E'.', ''),
                E',', ''), E';', ''), E':', ''), E'!', ''), E'?', ''), E'(', ''),
                E')', ''), E'-', ''), E'/', ''), E'"', ''), E'\'', ''), E'\u2018', ''),
                E'\u2019', ''), E'\u201c', ''), E'\u201d', ''), E'\u2013', ''), E'\u2014', '')
    , '')), 16))::bit(64)::bigint
$body$;

-- For records whose accounts nobody could hold against what was told before: a rule that asks has not run. Volatile, or a planner would call it ahead.
create function reading.not_looked_at() returns text
language plpgsql volatile parallel safe cost 10000
as $body$
begin
    raise exception 'these accounts were not held against what was told before';
end
$body$;
