// Lists of tensors, as the layers of a model declare them.

import { ONE, ZERO } from './values.mjs'

/** @typedef {import('./values.mjs').TensorPlan} TensorPlan */

const BIAS = { normal: 0.01 }
const POSITION = { normal: 0.02 }

/** Collects tensors in the order of a file; names are below `prefix`. */
export class PlanList {
  /** @type {TensorPlan[]} */
  plans
  #prefix

  /** @param {string} [prefix] @param {TensorPlan[]} [plans] */
  constructor(prefix = '', plans = []) {
    this.#prefix = prefix
    this.plans = plans
  }

  /** The same list, names being below one more name. @param {string} name */
  at(name) {
    return new PlanList(`${this.#prefix}${name}.`, this.plans)
  }

  /** @param {string} name @param {number[]} shape @param {import('./values.mjs').Values} values */
  add(name, shape, values) {
    this.plans.push({ name: this.#prefix + name, shape, values })
  }

  /** Weights of any shape whose sums keep the spread of what goes in. @param {string} name @param {number[]} shape */
  matrix(name, shape) {
    const inputs = shape.slice(1).reduce((product, size) => product * size, 1)
    this.add(name, shape, { normal: 1 / Math.sqrt(inputs) })
  }

  /** @param {string} name @param {number[]} shape  [out, in, ...] */
  linear(name, shape, hasBias = true) {
    this.matrix(`${name}.weight`, shape)
    if (hasBias) this.add(`${name}.bias`, [shape[0] ?? 0], BIAS)
  }

  /** @param {string} name @param {number} width */
  layerNorm(name, width) {
    this.add(`${name}.weight`, [width], ONE)
    this.add(`${name}.bias`, [width], ZERO)
  }

  /** @param {string} name @param {number} width */
  rmsNorm(name, width) {
    this.add(`${name}.weight`, [width], ONE)
  }

  /** Tokens of a table: positions, class tokens. @param {string} name @param {number[]} shape */
  table(name, shape) {
    this.add(name, shape, POSITION)
  }
}
