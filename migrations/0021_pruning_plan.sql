-- The index by outcome looked better to SQLite than the one by retrieval, so that each deleted retrieval read every interaction.
DROP TRIGGER retrievals_exposure_delete;--> statement-breakpoint
CREATE TRIGGER retrievals_exposure_delete AFTER DELETE ON retrievals WHEN OLD.control_share > 0 AND OLD.control_share < 1
BEGIN
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT OLD.project, OLD.control, OLD.control_share, outcome, -count(*) FROM interactions
  WHERE retrieval_id = OLD.id AND +project = OLD.project AND +outcome IS NOT NULL GROUP BY +outcome
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT OLD.project, OLD.control, 0, -count(*), -coalesce(sum(tokens_used > 0), 0), -coalesce(sum(tokens_used), 0),
    -coalesce(sum(1.0 * tokens_used * tokens_used), 0) FROM interactions WHERE retrieval_id = OLD.id AND +project = OLD.project
  GROUP BY +project
  ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, with_tokens = with_tokens + excluded.with_tokens,
    tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares;
END;
