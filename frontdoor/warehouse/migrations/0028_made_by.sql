-- The text of the project and the columns of raw that a build made its relations of. While neither changes, and the last build succeeded,
-- the next one takes in its news and makes no view again.

alter table warehouse.builds add column made_of text;
