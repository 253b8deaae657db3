CREATE TABLE `ranking_models` (
	`project` text PRIMARY KEY NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`examples` integer DEFAULT 0 NOT NULL,
	`pending` integer DEFAULT 0 NOT NULL,
	`queries` integer DEFAULT 0 NOT NULL,
	`gain` real DEFAULT 0 NOT NULL,
	`standard_errors` real DEFAULT 0 NOT NULL,
	`accepted` integer DEFAULT false NOT NULL,
	`weights` text,
	`trained_at` integer
);
