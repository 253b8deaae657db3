CREATE TABLE `archives` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`status` text NOT NULL,
	`lines` integer NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`callers` text NOT NULL,
	`stale` integer DEFAULT false NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `archives_project` ON `archives` (`project`,`id`);--> statement-breakpoint
ALTER TABLE `interactions` ADD `archive_id` text;--> statement-breakpoint
ALTER TABLE `interactions` ADD `archived_bytes` integer;--> statement-breakpoint
ALTER TABLE `interactions` ADD `archived_jobs` text;--> statement-breakpoint
CREATE INDEX `interactions_archive` ON `interactions` (`project`,`archive_id`,`id`);
--> statement-breakpoint
DROP TRIGGER jobs_rollup_insert;
--> statement-breakpoint
DROP TRIGGER jobs_rollup_delete;
--> statement-breakpoint
CREATE TRIGGER jobs_rollup_insert AFTER INSERT ON jobs
WHEN NOT (NEW.status = 'done' AND NEW.kind IN ('index_interaction', 'score_interaction', 'learn_pattern')
  AND EXISTS (SELECT 1 FROM interactions WHERE id = NEW.subject AND archive_id IS NOT NULL))
BEGIN
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (NEW.project, NEW.kind, NEW.status, 1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER jobs_rollup_delete AFTER DELETE ON jobs
WHEN NOT (OLD.status = 'done' AND OLD.kind IN ('index_interaction', 'score_interaction', 'learn_pattern')
  AND EXISTS (SELECT 1 FROM interactions WHERE id = OLD.subject AND archive_id IS NOT NULL))
BEGIN
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (OLD.project, OLD.kind, OLD.status, -1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
