-- The grace counts from when the ending notice was seen in the box, and not from when it was decided on.

ALTER TABLE reservation ADD COLUMN ending_notice_shown boolean NOT NULL DEFAULT false;
