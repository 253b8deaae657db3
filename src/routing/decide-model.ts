/**
 * Decides which model answers a query: the estimates for both models, the cost of their answers, and the decision. Used
 * by every surface.
 * @module
 */
import { meanLatencies } from '../database/queries/routing.ts'
import { chooseModel, leastGain, type ModelChoice, type SuccessEstimate } from './model-choice.ts'
import { estimateOne, type RouterServices } from './trained-router.ts'

/** The settings that the choice of model depends on. */
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

/** The part of a decision record about the choice of model. `replay.ts` reads it. */
export interface DecidedModel {
  readonly cause: ModelChoice['cause']
  readonly propensity: number
  readonly threshold: number
  readonly prefer_local: boolean
  readonly router_version: number
  readonly local: SuccessEstimate
  readonly remote: SuccessEstimate
  readonly gain: number
  /** Minimum gain for which the remote model is worth its price. */
  readonly least_gain: number
}

/** Estimates both models and chooses one. */
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
    // As long as there are too few outcomes to learn from, nothing is explored.
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
