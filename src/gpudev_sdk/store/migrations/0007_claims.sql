-- Whether a backend ever held our claim: one that holds none has forgotten it, or was never told because the first start died.

ALTER TABLE backend_claim ADD COLUMN written_at timestamptz;
UPDATE backend_claim SET written_at = raised_at;
