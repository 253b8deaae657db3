CREATE TABLE `rollup_arms` (
	`project` text NOT NULL,
	`control` integer NOT NULL,
	`retrievals` integer NOT NULL,
	`answers` integer NOT NULL,
	`with_tokens` integer NOT NULL,
	`tokens` integer NOT NULL,
	`tokens_squares` real NOT NULL,
	PRIMARY KEY(`project`, `control`)
);
--> statement-breakpoint
CREATE TABLE `rollup_counts` (
	`project` text NOT NULL,
	`name` text NOT NULL,
	`n` integer NOT NULL,
	PRIMARY KEY(`project`, `name`)
);
--> statement-breakpoint
CREATE TABLE `rollup_interactions` (
	`project` text NOT NULL,
	`day` text NOT NULL,
	`agent_type` text NOT NULL,
	`had_context` integer NOT NULL,
	`outcome` text NOT NULL,
	`n` integer NOT NULL,
	`tokens` integer NOT NULL,
	`tokens_squares` real NOT NULL,
	`with_tokens` integer NOT NULL,
	`scored` integer NOT NULL,
	`value_millionths` integer NOT NULL,
	`unscored` integer NOT NULL,
	PRIMARY KEY(`project`, `day`, `agent_type`, `had_context`, `outcome`)
);
--> statement-breakpoint
CREATE TABLE `rollup_jobs` (
	`project` text NOT NULL,
	`kind` text NOT NULL,
	`status` text NOT NULL,
	`n` integer NOT NULL,
	PRIMARY KEY(`project`, `kind`, `status`)
);
--> statement-breakpoint
CREATE TABLE `rollup_models` (
	`project` text NOT NULL,
	`model_used` text NOT NULL,
	`n` integer NOT NULL,
	`tokens` integer NOT NULL,
	`latency_microseconds` integer NOT NULL,
	PRIMARY KEY(`project`, `model_used`)
);
--> statement-breakpoint
CREATE TABLE `rollup_retrievals` (
	`project` text NOT NULL,
	`day` text NOT NULL,
	`control` integer NOT NULL,
	`n` integer NOT NULL,
	`with_context` integer NOT NULL,
	`added` integer NOT NULL,
	`spared` integer NOT NULL,
	`whole` integer NOT NULL,
	`top_whole` integer NOT NULL,
	`documents` integer NOT NULL,
	`documents_n` integer NOT NULL,
	`documents_added` integer NOT NULL,
	PRIMARY KEY(`project`, `day`, `control`)
);
--> statement-breakpoint
CREATE TABLE `rollup_routing` (
	`project` text NOT NULL,
	`day` text NOT NULL,
	`route` text NOT NULL,
	`backend` text NOT NULL,
	`n` integer NOT NULL,
	PRIMARY KEY(`project`, `day`, `route`, `backend`)
);
--> statement-breakpoint
CREATE TABLE `rollup_scores` (
	`project` text NOT NULL,
	`day` text NOT NULL,
	`bin` integer NOT NULL,
	`n` integer NOT NULL,
	PRIMARY KEY(`project`, `day`, `bin`)
);
--> statement-breakpoint
ALTER TABLE `interactions` ADD `had_context` integer DEFAULT false NOT NULL;
--> statement-breakpoint
UPDATE interactions SET had_context = 1 WHERE id IN (SELECT interaction_id FROM interaction_contexts);
--> statement-breakpoint
CREATE TRIGGER interactions_rollup_insert AFTER INSERT ON interactions BEGIN
  INSERT INTO rollup_interactions (project, day, agent_type, had_context, outcome, n, tokens, tokens_squares, with_tokens, scored, value_millionths, unscored)
  VALUES (NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), NEW.agent_type, NEW.had_context, coalesce(NEW.outcome, ''), 1, NEW.tokens_used, 1.0 * NEW.tokens_used * NEW.tokens_used,
    (NEW.tokens_used > 0), (NEW.value_score IS NOT NULL), CAST(round(coalesce(NEW.value_score, 0) * 1000000) AS INTEGER),
    (NEW.outcome IS NOT NULL AND NEW.value_score IS NULL))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares,
    with_tokens = with_tokens + excluded.with_tokens, scored = scored + excluded.scored,
    value_millionths = value_millionths + excluded.value_millionths, unscored = unscored + excluded.unscored;
  INSERT INTO rollup_scores (project, day, bin, n)
  SELECT NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), CAST(NEW.value_score * 100 + 1e-9 AS INTEGER), 1 WHERE NEW.value_score IS NOT NULL
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_models (project, model_used, n, tokens, latency_microseconds)
  VALUES (NEW.project, NEW.model_used, 1, NEW.tokens_used, CAST(round(NEW.latency_ms * 1000) AS INTEGER))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, latency_microseconds = latency_microseconds + excluded.latency_microseconds;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT project, control, 0, 1, (NEW.tokens_used > 0), NEW.tokens_used, 1.0 * NEW.tokens_used * NEW.tokens_used FROM retrievals
  WHERE id = NEW.retrieval_id AND project = NEW.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, with_tokens = with_tokens + excluded.with_tokens,
    tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares;
END;
--> statement-breakpoint
CREATE TRIGGER interactions_rollup_delete AFTER DELETE ON interactions BEGIN
  INSERT INTO rollup_interactions (project, day, agent_type, had_context, outcome, n, tokens, tokens_squares, with_tokens, scored, value_millionths, unscored)
  VALUES (OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), OLD.agent_type, OLD.had_context, coalesce(OLD.outcome, ''), -1, -OLD.tokens_used, -1.0 * OLD.tokens_used * OLD.tokens_used,
    -(OLD.tokens_used > 0), -(OLD.value_score IS NOT NULL), -CAST(round(coalesce(OLD.value_score, 0) * 1000000) AS INTEGER),
    -(OLD.outcome IS NOT NULL AND OLD.value_score IS NULL))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares,
    with_tokens = with_tokens + excluded.with_tokens, scored = scored + excluded.scored,
    value_millionths = value_millionths + excluded.value_millionths, unscored = unscored + excluded.unscored;
  INSERT INTO rollup_scores (project, day, bin, n)
  SELECT OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), CAST(OLD.value_score * 100 + 1e-9 AS INTEGER), -1 WHERE OLD.value_score IS NOT NULL
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_models (project, model_used, n, tokens, latency_microseconds)
  VALUES (OLD.project, OLD.model_used, -1, -OLD.tokens_used, -CAST(round(OLD.latency_ms * 1000) AS INTEGER))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, latency_microseconds = latency_microseconds + excluded.latency_microseconds;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT project, control, 0, -1, -(OLD.tokens_used > 0), -OLD.tokens_used, -1.0 * OLD.tokens_used * OLD.tokens_used FROM retrievals
  WHERE id = OLD.retrieval_id AND project = OLD.project AND control_share > 0 AND control_share < 1
  ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, with_tokens = with_tokens + excluded.with_tokens,
    tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares;
END;
--> statement-breakpoint
CREATE TRIGGER interactions_rollup_update AFTER UPDATE OF outcome, value_score, had_context ON interactions BEGIN
  INSERT INTO rollup_interactions (project, day, agent_type, had_context, outcome, n, tokens, tokens_squares, with_tokens, scored, value_millionths, unscored)
  VALUES (OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), OLD.agent_type, OLD.had_context, coalesce(OLD.outcome, ''), -1, -OLD.tokens_used, -1.0 * OLD.tokens_used * OLD.tokens_used,
    -(OLD.tokens_used > 0), -(OLD.value_score IS NOT NULL), -CAST(round(coalesce(OLD.value_score, 0) * 1000000) AS INTEGER),
    -(OLD.outcome IS NOT NULL AND OLD.value_score IS NULL))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares,
    with_tokens = with_tokens + excluded.with_tokens, scored = scored + excluded.scored,
    value_millionths = value_millionths + excluded.value_millionths, unscored = unscored + excluded.unscored;
  INSERT INTO rollup_interactions (project, day, agent_type, had_context, outcome, n, tokens, tokens_squares, with_tokens, scored, value_millionths, unscored)
  VALUES (NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), NEW.agent_type, NEW.had_context, coalesce(NEW.outcome, ''), 1, NEW.tokens_used, 1.0 * NEW.tokens_used * NEW.tokens_used,
    (NEW.tokens_used > 0), (NEW.value_score IS NOT NULL), CAST(round(coalesce(NEW.value_score, 0) * 1000000) AS INTEGER),
    (NEW.outcome IS NOT NULL AND NEW.value_score IS NULL))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, tokens = tokens + excluded.tokens, tokens_squares = tokens_squares + excluded.tokens_squares,
    with_tokens = with_tokens + excluded.with_tokens, scored = scored + excluded.scored,
    value_millionths = value_millionths + excluded.value_millionths, unscored = unscored + excluded.unscored;
  INSERT INTO rollup_scores (project, day, bin, n)
  SELECT OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), CAST(OLD.value_score * 100 + 1e-9 AS INTEGER), -1 WHERE OLD.value_score IS NOT NULL
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_scores (project, day, bin, n)
  SELECT NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), CAST(NEW.value_score * 100 + 1e-9 AS INTEGER), 1 WHERE NEW.value_score IS NOT NULL
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER retrievals_rollup_insert AFTER INSERT ON retrievals BEGIN
  INSERT INTO rollup_retrievals (project, day, control, n, with_context, added, spared, whole, top_whole, documents, documents_n, documents_added)
  VALUES (NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), NEW.control, 1, (NEW.shown != '[]'), NEW.tokens_added, NEW.tokens_spared, NEW.tokens_whole,
    ((NEW.shown != '[]') * NEW.tokens_top_whole), coalesce(NEW.tokens_documents, 0), (NEW.tokens_documents IS NOT NULL),
    ((NEW.tokens_documents IS NOT NULL) * NEW.tokens_added))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, with_context = with_context + excluded.with_context, added = added + excluded.added,
    spared = spared + excluded.spared, whole = whole + excluded.whole, top_whole = top_whole + excluded.top_whole,
    documents = documents + excluded.documents, documents_n = documents_n + excluded.documents_n, documents_added = documents_added + excluded.documents_added;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT NEW.project, NEW.control, 1, 0, 0, 0, 0 WHERE NEW.control_share > 0 AND NEW.control_share < 1
  ON CONFLICT DO UPDATE SET retrievals = retrievals + excluded.retrievals;
END;
--> statement-breakpoint
CREATE TRIGGER retrievals_rollup_delete AFTER DELETE ON retrievals BEGIN
  INSERT INTO rollup_retrievals (project, day, control, n, with_context, added, spared, whole, top_whole, documents, documents_n, documents_added)
  VALUES (OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), OLD.control, -1, -(OLD.shown != '[]'), -OLD.tokens_added, -OLD.tokens_spared, -OLD.tokens_whole,
    -((OLD.shown != '[]') * OLD.tokens_top_whole), -coalesce(OLD.tokens_documents, 0), -(OLD.tokens_documents IS NOT NULL),
    -((OLD.tokens_documents IS NOT NULL) * OLD.tokens_added))
  ON CONFLICT DO UPDATE SET n = n + excluded.n, with_context = with_context + excluded.with_context, added = added + excluded.added,
    spared = spared + excluded.spared, whole = whole + excluded.whole, top_whole = top_whole + excluded.top_whole,
    documents = documents + excluded.documents, documents_n = documents_n + excluded.documents_n, documents_added = documents_added + excluded.documents_added;
  INSERT INTO rollup_arms (project, control, retrievals, answers, with_tokens, tokens, tokens_squares)
  SELECT OLD.project, OLD.control, -1, 0, 0, 0, 0 WHERE OLD.control_share > 0 AND OLD.control_share < 1
  ON CONFLICT DO UPDATE SET retrievals = retrievals + excluded.retrievals;
END;
--> statement-breakpoint
CREATE TRIGGER routing_decisions_rollup_insert AFTER INSERT ON routing_decisions BEGIN
  INSERT INTO rollup_routing (project, day, route, backend, n) VALUES (NEW.project, strftime('%Y-%m-%d', NEW.created_at / 1000, 'unixepoch'), NEW.route, NEW.backend, 1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER routing_decisions_rollup_delete AFTER DELETE ON routing_decisions BEGIN
  INSERT INTO rollup_routing (project, day, route, backend, n) VALUES (OLD.project, strftime('%Y-%m-%d', OLD.created_at / 1000, 'unixepoch'), OLD.route, OLD.backend, -1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER jobs_rollup_insert AFTER INSERT ON jobs BEGIN
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (NEW.project, NEW.kind, NEW.status, 1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER jobs_rollup_delete AFTER DELETE ON jobs BEGIN
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (OLD.project, OLD.kind, OLD.status, -1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER jobs_rollup_update AFTER UPDATE OF status ON jobs BEGIN
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (OLD.project, OLD.kind, OLD.status, -1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
  INSERT INTO rollup_jobs (project, kind, status, n) VALUES (NEW.project, NEW.kind, NEW.status, 1)
  ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER corrections_rollup_insert AFTER INSERT ON corrections BEGIN
  INSERT INTO rollup_counts (project, name, n) VALUES (NEW.project, 'corrections', 1) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER corrections_rollup_delete AFTER DELETE ON corrections BEGIN
  INSERT INTO rollup_counts (project, name, n) VALUES (OLD.project, 'corrections', -1) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER context_credit_rollup_insert AFTER INSERT ON context_credit BEGIN
  INSERT INTO rollup_counts (project, name, n) VALUES (NEW.project, 'credited', 1) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
CREATE TRIGGER context_credit_rollup_delete AFTER DELETE ON context_credit BEGIN
  INSERT INTO rollup_counts (project, name, n) VALUES (OLD.project, 'credited', -1) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
--> statement-breakpoint
INSERT INTO rollup_interactions SELECT project, strftime('%Y-%m-%d', created_at / 1000, 'unixepoch'), agent_type, had_context, coalesce(outcome, ''), count(*), sum(tokens_used), sum(1.0 * tokens_used * tokens_used),
  sum(tokens_used > 0), count(value_score), sum(CAST(round(coalesce(value_score, 0) * 1000000) AS INTEGER)), sum(outcome IS NOT NULL AND value_score IS NULL)
  FROM interactions GROUP BY 1, 2, 3, 4, 5;
--> statement-breakpoint
INSERT INTO rollup_scores SELECT project, strftime('%Y-%m-%d', created_at / 1000, 'unixepoch'), CAST(value_score * 100 + 1e-9 AS INTEGER), count(*) FROM interactions WHERE value_score IS NOT NULL GROUP BY 1, 2, 3;
--> statement-breakpoint
INSERT INTO rollup_models SELECT project, model_used, count(*), sum(tokens_used), sum(CAST(round(latency_ms * 1000) AS INTEGER)) FROM interactions GROUP BY 1, 2;
--> statement-breakpoint
INSERT INTO rollup_retrievals SELECT project, strftime('%Y-%m-%d', created_at / 1000, 'unixepoch'), control, count(*), sum(shown != '[]'), sum(tokens_added), sum(tokens_spared), sum(tokens_whole),
  sum((shown != '[]') * tokens_top_whole), coalesce(sum(tokens_documents), 0), count(tokens_documents), sum((tokens_documents IS NOT NULL) * tokens_added)
  FROM retrievals GROUP BY 1, 2, 3;
--> statement-breakpoint
INSERT INTO rollup_arms SELECT r.project, r.control, count(DISTINCT r.id), count(i.id), coalesce(sum(i.tokens_used > 0), 0), coalesce(sum(i.tokens_used), 0),
  coalesce(sum(1.0 * i.tokens_used * i.tokens_used), 0) FROM retrievals r LEFT JOIN interactions i ON i.retrieval_id = r.id AND i.project = r.project
  WHERE r.control_share > 0 AND r.control_share < 1 GROUP BY 1, 2;
--> statement-breakpoint
INSERT INTO rollup_routing SELECT project, strftime('%Y-%m-%d', created_at / 1000, 'unixepoch'), route, backend, count(*) FROM routing_decisions GROUP BY 1, 2, 3, 4;
--> statement-breakpoint
INSERT INTO rollup_jobs SELECT project, kind, status, count(*) FROM jobs GROUP BY 1, 2, 3;
--> statement-breakpoint
INSERT INTO rollup_counts SELECT project, 'corrections', count(*) FROM corrections GROUP BY 1;
--> statement-breakpoint
INSERT INTO rollup_counts SELECT project, 'credited', count(*) FROM context_credit GROUP BY 1;
