/**
 * Which model answers a query: what is known of both, what their answers cost, and the decision, for every surface alike.
 * @module
 */
import { meanLatencies } from '../database/queries/routing.ts'
import { chooseModel, leastGain, type ModelChoice, type SuccessEstimate } from './model-choice.ts'
import { estimateOne, type RouterServices } from './trained-router.ts'

/** The settings that a choice of model rests on. */
export interface RoutingSettings {
  readonly LOCAL_CONFIDENCE_THRESHOLD: number
  readonly ROUTING_EXPLORATION: number
  readonly EXPERIMENTS_FROM_OUTCOMES: number
  readonly ROUTING_QUALITY_WEIGHT: number
  readonly ROUTING_COST_WEIGHT: number
  readonly ROUTING_LATENCY_WEIGHT: number
}

export interface DecideServices extends RouterServices {
  readonly settings: RoutingSettings
  random(): number
}

/** What a decision record keeps of the choice of model; `replay.ts` reads it again. */
export interface DecidedModel {
  readonly cause: ModelChoice['cause']
  readonly propensity: number
  readonly threshold: number
  readonly prefer_local: boolean
  readonly router_version: number
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  readonly gain: number
  /** Gain under which the remote model is not worth its price. */
  readonly least_gain: number
}

/** Estimates, weighs and chooses. */
export async function decideModel(
  services: DecideServices,
  query: { project: string; query: string; localModel: boolean; preferLocal: boolean },
): Promise<{ choice: ModelChoice; model: DecidedModel }> {
  const { settings } = services
  const [{ version, threshold: own, outcomes, estimates }, latencies] = await Promise.all([
    estimateOne(services, query.project, query.query),
    settings.ROUTING_LATENCY_WEIGHT > 0 ? meanLatencies(services.database, query.project) : NO_LATENCIES,
  ])
  const threshold = own ?? settings.LOCAL_CONFIDENCE_THRESHOLD
  const least = leastGain({
    quality: settings.ROUTING_QUALITY_WEIGHT,
    cost: settings.ROUTING_COST_WEIGHT,
    latency: settings.ROUTING_LATENCY_WEIGHT,
    extraSeconds: (latencies.remote - latencies.local) / 1000,
  })
  const choice = chooseModel({
    localModel: query.localModel,
    preferLocal: query.preferLocal,
    local: estimates.local,
    remote: estimates.remote,
    leastGain: least,
    threshold,
    // Before there is anything to learn from, no answer is given away for the sake of learning.
    exploration: outcomes >= settings.EXPERIMENTS_FROM_OUTCOMES ? settings.ROUTING_EXPLORATION : 0,
    random: services.random(),
  })
  const model = {
    cause: choice.cause,
    propensity: choice.propensity,
    threshold,
    prefer_local: query.preferLocal,
    router_version: version,
    ...estimates,
    least_gain: least,
  }
  return { choice, model }
}

const NO_LATENCIES = { local: 0, remote: 0 }
