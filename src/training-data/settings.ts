/**
 * The settings that determine a dataset's examples and their format.
 * @module
 */
import type { ExampleFilter } from '../database/queries/exports.ts'
import type { AgentType, Outcome } from '../database/schema.ts'
import type { Selection, SPLITS } from './examples.ts'
import { type DatasetFormat, EXAMPLE_KIND } from './formats.ts'

/** Default first message of every example. */
export const DEFAULT_SYSTEM_PROMPT = 'You are a helpful and precise software engineering assistant.'

export interface ExportSettings {
  readonly project: string
  readonly format: DatasetFormat
  readonly outcome: Outcome
  /** 0 to 1; null: any. */
  readonly minValueScore: number | null
  readonly since: number | null
  readonly until: number | null
  readonly agentType: AgentType | null
  readonly tags: readonly string[]
  readonly variant: string | null
  readonly includeCorrections: boolean
  readonly limit: number | null
  readonly systemPrompt: string
  readonly split: (typeof SPLITS)[number]
  readonly validationShare: number
  /** Whether to include only rows that no earlier dataset with the same settings has. */
  readonly incremental: boolean
  readonly license: string | null
  /** Whether thinking sections are removed from answers. */
  readonly thinking: Selection['thinking']
}

/** The database filter for the settings. */
export function filterOf(settings: Omit<ExportSettings, 'limit'>): ExampleFilter {
  return {
    project: settings.project,
    kind: EXAMPLE_KIND[settings.format],
    outcome: settings.outcome,
    minValueScore: settings.minValueScore,
    agentType: settings.agentType ?? undefined,
    variant: settings.variant ?? undefined,
    tags: settings.tags,
    since: settings.since ?? undefined,
    until: settings.until ?? undefined,
  }
}

/** The selection of examples for the settings. */
export function selectionOf(settings: ExportSettings): Selection {
  return {
    filter: filterOf(settings),
    includeCorrections: settings.includeCorrections || EXAMPLE_KIND[settings.format] === 'pair',
    thinking: settings.thinking,
  }
}

/** The settings as stored and returned: everything that determines the bytes. */
export function filtersOf(settings: ExportSettings): Record<string, unknown> {
  return {
    format: settings.format,
    outcome: settings.outcome,
    min_value_score: settings.minValueScore,
    since: settings.since,
    until: settings.until,
    agent_type: settings.agentType,
    tags: [...settings.tags].sort(),
    variant: settings.variant,
    include_corrections: settings.includeCorrections,
    limit: settings.limit,
    system_prompt: settings.systemPrompt,
    split: settings.split,
    validation_share: settings.validationShare,
    incremental: settings.incremental,
    license: settings.license,
    thinking: settings.thinking,
  }
}

/** The filter that a dataset was created with, parsed from filtersOf. */
export function storedFilter(project: string, format: DatasetFormat, filters: Record<string, unknown>): ExampleFilter {
  return {
    project,
    kind: EXAMPLE_KIND[format],
    outcome: filters.outcome as Outcome,
    minValueScore: filters.min_value_score as number | null,
  }
}

/** The settings of a project's nightly export: every answer worth learning from, as chat. */
export function nightlySettings(project: string, highValueThreshold: number): ExportSettings {
  return {
    project,
    format: 'openai-chat',
    outcome: 'success',
    minValueScore: highValueThreshold,
    since: null,
    until: null,
    agentType: null,
    tags: [],
    variant: null,
    includeCorrections: true,
    limit: null,
    systemPrompt: DEFAULT_SYSTEM_PROMPT,
    split: 'all',
    validationShare: 0,
    incremental: false,
    license: null,
    thinking: 'cut',
  }
}
