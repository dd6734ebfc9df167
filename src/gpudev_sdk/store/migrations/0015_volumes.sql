-- oldest: 14
-- How many of our volumes can be on a node at once, those that are there now among them; null where no limit is known.

ALTER TABLE node ADD COLUMN volumes int CHECK (volumes >= 0);
