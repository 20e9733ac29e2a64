import { describe, expect, test } from 'vitest'
import { IGNORED } from '../train/definition'
import { CambrianTrainingCase, HfTrainingCase } from './training-case'

const largest = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

describe.each(['train-clip-llama', 'train-siglip-qwen2'] as const)('%s', (name) => {
  const golden = new HfTrainingCase(name)

  test('has 20 steps of micro-batches of its samples', () => {
    const { samples, micro_batches: order, steps, recipe } = golden.facts
    expect(steps).toHaveLength(recipe.schedule.steps)
    expect(order).toHaveLength(recipe.schedule.steps)
    for (const batches of order) {
      expect(batches).toHaveLength(recipe.accumulate)
      for (const batch of batches) for (const i of batch) expect(samples[i]).toBeDefined()
    }
    for (const { input_ids: ids, labels } of samples) {
      expect(labels.map((label, i) => (label === IGNORED ? ids[i] : label))).toEqual(ids)
      expect(ids.at(-1)).toBe(golden.facts.eos_token_id)
    }
    expect(golden.imageBytes(samples[0]!.image).subarray(1, 4)).toEqual(new TextEncoder().encode('PNG'))
  })

  test('moves no parameter further than Adam can, and every parameter a little', async () => {
    const opened = await golden.open()
    expect(opened.blueprint.vision).toBeDefined()
    expect(golden.parameters).toHaveLength(4)
    const rates = golden.facts.steps.map(({ lr }) => lr)
    for (const parameter of golden.parameters) {
      const start = golden.parameter(parameter, 0)
      for (const steps of [2, 5, 20] as const) {
        const { shape, data } = golden.parameter(parameter, steps)
        expect(shape).toEqual(start.shape)
        const change = largest(data.map((value, i) => value - start.data[i]!))
        const reach = rates.slice(0, steps).reduce((sum, rate) => sum + rate, 0)
        expect(change).toBeGreaterThan(reach / 20)
        expect(change).toBeLessThan(reach * 1.5)
      }
      expect(golden.gradient(parameter).shape).toEqual(start.shape)
    }
  })

  test('gives pixel values as the processor normalises them', () => {
    const { shape, data } = golden.tensor('pixel_values')
    expect(shape.slice(0, 2)).toEqual([6, 3])
    expect(data).toHaveLength(shape.reduce((product, side) => product * side))
    expect(largest(data)).toBeGreaterThan(0.9)
    expect(largest(data)).toBeLessThan(3)
  })

  test('its gradient norm is that of the first step', () => {
    const squares = golden.parameters.map((parameter) =>
      golden.gradient(parameter).data.reduce((sum, value) => sum + value * value, 0),
    )
    const norm = Math.sqrt(squares.reduce((sum, square) => sum + square))
    expect(norm).toBeCloseTo(golden.facts.steps[0]!.grad_norm, 4)
  })
})

describe('cambrian-train', () => {
  const golden = new CambrianTrainingCase()
  const { facts } = golden

  test('has features of every tower and the losses of one batch', () => {
    expect(facts.tower_widths.map((_, tower) => golden.features(tower).shape)).toEqual([
      [3, 36, 32],
      [3, 36, 28],
      [3, 36, 36],
      [3, 144, 30],
    ])
    const sums = facts.samples.reduce((sum, sample) => sum + sample.loss_sum, 0)
    expect(sums / facts.total_target_tokens).toBeCloseTo(facts.loss[0]!, 5)
  })

  test('changes every parameter as far as is recorded', () => {
    expect(facts.trainable).toHaveLength(170)
    let squares = 0
    for (const name of facts.trainable) {
      const start = golden.parameter(name, 0).data
      const change = (steps: 2 | 5 | 20) =>
        largest(golden.parameter(name, steps).data.map((value, i) => value - start[i]!))
      expect(change(20)).toBeCloseTo(facts.max_change_after_20[name]!, 6)
      const rates = /vision_sampler|vision_query/.test(name) ? facts.sampler_lr : facts.lr
      // Adam's second step, at one gradient, moves by the rate where the gradient is not all but zero.
      if (facts.gradient_max_abs[name]! > 1e-5) expect(change(2) / rates[1]!).toBeCloseTo(1, 2)
      expect(change(5)).toBeGreaterThanOrEqual(change(2) * 0.9)
      const gradient = golden.gradient(name).data
      expect(largest(gradient)).toBeCloseTo(facts.gradient_max_abs[name]!, 7)
      squares += gradient.reduce((sum, value) => sum + value * value, 0)
    }
    expect(Math.sqrt(squares)).toBeCloseTo(facts.grad_norm[0]!, 4)
  })
})
