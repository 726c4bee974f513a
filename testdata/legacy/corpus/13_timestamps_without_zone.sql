-- must be refused: schema/session.created_at: whose midnight the timestamps mean is not ours to guess
ALTER TABLE session ALTER created_at TYPE timestamp, ALTER updated_at TYPE timestamp;
