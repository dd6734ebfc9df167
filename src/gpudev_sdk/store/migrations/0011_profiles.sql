-- What boxes of a type may be asked to be allowed; in a column of its own, as older processes read every field of `spec`.

ALTER TABLE gpu_type ADD COLUMN profiles text[] NOT NULL DEFAULT '{}';
