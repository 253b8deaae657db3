/**
 * Minimisation of a smooth function of many variables.
 * @module
 */

/** Number of stored pairs of steps and gradient changes. */
const MEMORY = 7
/** Armijo's constant of sufficient decrease. */
const DECREASE = 1e-4
const MAX_HALVINGS = 20

/**
 * Limited-memory BFGS with a backtracking line search (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithms 7.4, 7.5 and 3.1).
 * @param objective returns the value at a point and writes the gradient to its second argument
 * @param start not modified
 * @returns the point where it stopped: gradient near zero, no further decrease, or iteration limit reached
 */
export function minimise(
  objective: (point: Float64Array, gradient: Float64Array) => number,
  start: Float64Array,
  iterations: number,
): Float64Array {
  let point = start.slice()
  let gradient = new Float64Array(point.length)
  let value = objective(point, gradient)
  const pairs: { step: Float64Array; change: Float64Array; inverse: number }[] = []
  for (let i = 0; i < iterations; i++) {
    const direction = descent(gradient, pairs)
    const slope = dot(direction, gradient)
    if (!(slope < -1e-10)) break
    let size = pairs.length === 0 ? 1 / Math.max(1, Math.sqrt(dot(gradient, gradient))) : 1
    let next = point
    let nextValue = value
    const nextGradient = new Float64Array(point.length)
    let halvings = 0
    for (; halvings < MAX_HALVINGS; halvings++, size /= 2) {
      next = point.map((x, at) => x + size * (direction[at] ?? 0))
      nextValue = objective(next, nextGradient)
      if (nextValue <= value + DECREASE * size * slope) break
    }
    if (halvings === MAX_HALVINGS) break
    const step = next.map((x, at) => x - (point[at] ?? 0))
    const change = nextGradient.map((x, at) => x - (gradient[at] ?? 0))
    const curvature = dot(step, change)
    if (curvature > 1e-12) {
      pairs.push({ step, change, inverse: 1 / curvature })
      if (pairs.length > MEMORY) pairs.shift()
    }
    const gained = value - nextValue
    point = next
    value = nextValue
    gradient = nextGradient
    if (gained < 1e-7 * Math.max(1, Math.abs(value))) break
  }
  return point
}

/** The negative gradient times the approximate inverse Hessian (two-loop recursion). */
function descent(
  gradient: Float64Array,
  pairs: readonly { step: Float64Array; change: Float64Array; inverse: number }[],
): Float64Array {
  const direction = gradient.map((x) => -x)
  const shares: number[] = []
  for (const { step, change, inverse } of [...pairs].reverse()) {
    const share = inverse * dot(step, direction)
    shares.unshift(share)
    addTo(direction, change, -share)
  }
  const last = pairs.at(-1)
  if (last) {
    const scale = 1 / (last.inverse * dot(last.change, last.change))
    for (let i = 0; i < direction.length; i++) direction[i] = (direction[i] ?? 0) * scale
  }
  for (const [i, { step, change, inverse }] of pairs.entries()) {
    addTo(direction, step, (shares[i] ?? 0) - inverse * dot(change, direction))
  }
  return direction
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}

function addTo(to: Float64Array, from: Float64Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] ?? 0) + scale * (from[i] ?? 0)
}
