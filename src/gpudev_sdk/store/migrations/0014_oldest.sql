-- The oldest schema whose code goes on beside a migration, as its first line says (`-- oldest: 14`); null where only the code that brings
-- it can. So services of the version before serve on while an upgrade goes round, and serve again after a rollback.

ALTER TABLE schema_migration ADD COLUMN oldest int CHECK (oldest BETWEEN 1 AND number);
