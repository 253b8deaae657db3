CREATE TABLE `routing_models` (
	`project` text PRIMARY KEY NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`examples` integer DEFAULT 0 NOT NULL,
	`pending` integer DEFAULT 0 NOT NULL,
	`model` text,
	`trained_at` integer
);
