CREATE TABLE `rollup_exposures` (
	`project` text NOT NULL,
	`control` integer NOT NULL,
	`control_share` real NOT NULL,
	`outcome` text NOT NULL,
	`n` integer NOT NULL,
	PRIMARY KEY(`project`, `control`, `control_share`, `outcome`)
);
--> statement-breakpoint
DROP INDEX `jobs_project_status`;--> statement-breakpoint
CREATE INDEX `jobs_open` ON `jobs` (`project`,`kind`,`subject`) WHERE status IN ('pending', 'running');--> statement-breakpoint
CREATE INDEX `jobs_project_status` ON `jobs` (`project`,`status`,`id`);
--> statement-breakpoint
CREATE TRIGGER interactions_exposure_insert AFTER INSERT ON interactions WHEN NEW.retrieval_id IS NOT NULL AND NEW.outcome IS NOT NULL
BEGIN
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT project, control, control_share, NEW.outcome, 1 FROM retrievals
  WHERE id = NEW.retrieval_id AND project = NEW.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER interactions_exposure_update AFTER UPDATE OF outcome ON interactions
WHEN NEW.retrieval_id IS NOT NULL AND NEW.outcome IS NOT OLD.outcome
BEGIN
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT project, control, control_share, OLD.outcome, -1 FROM retrievals
  WHERE OLD.outcome IS NOT NULL AND id = OLD.retrieval_id AND project = OLD.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT project, control, control_share, NEW.outcome, 1 FROM retrievals
  WHERE NEW.outcome IS NOT NULL AND id = NEW.retrieval_id AND project = NEW.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER interactions_exposure_delete AFTER DELETE ON interactions WHEN OLD.retrieval_id IS NOT NULL AND OLD.outcome IS NOT NULL
BEGIN
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT project, control, control_share, OLD.outcome, -1 FROM retrievals
  WHERE id = OLD.retrieval_id AND project = OLD.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER retrievals_exposure_delete AFTER DELETE ON retrievals WHEN OLD.control_share > 0 AND OLD.control_share < 1
BEGIN
  INSERT INTO rollup_exposures (project, control, control_share, outcome, n)
  SELECT OLD.project, OLD.control, OLD.control_share, outcome, -count(*) FROM interactions
  WHERE retrieval_id = OLD.id AND project = OLD.project AND outcome IS NOT NULL GROUP BY outcome
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT OLD.project, OLD.control, 0, -count(*), -coalesce(sum(tokens_used > 0), 0), -coalesce(sum(tokens_used), 0),
    -coalesce(sum(1.0 * tokens_used * tokens_used), 0) FROM interactions WHERE retrieval_id = OLD.id AND project = OLD.project
  GROUP BY project
  ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, with_tokens = with_tokens + excluded.with_tokens,
    tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares;
END;
--> statement-breakpoint
INSERT INTO rollup_exposures SELECT r.project, r.control, r.control_share, i.outcome, count(*)
  FROM retrievals r JOIN interactions i ON i.retrieval_id = r.id AND i.project = r.project
  WHERE r.control_share > 0 AND r.control_share < 1 AND i.outcome IS NOT NULL GROUP BY 1, 2, 3, 4;
