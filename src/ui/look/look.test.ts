import { expect, test, vi } from 'vitest'
import type { Look as Told, LookRequest } from '../../worker/api'
import { Look, type Lookable } from './look.svelte'

const words = ['A', 'small', 'frog'].map((text, at) => ({ text, tokens: [at] }))
const what: Lookable = { words, pictures: [], towers: ['clip', 'dinov2'] }

/** An engine that answers when told to, with the request's own number in the map. */
function stage() {
  const asked: LookRequest[] = []
  const answers: (() => void)[] = []
  const ask = vi.fn(
    (request: LookRequest) =>
      new Promise<Told>((resolve) => {
        asked.push(request)
        const value = request.kind === 'word' ? request.tokens[0]! : 100 + request.image
        const region = { left: 0, top: 0, right: 1, bottom: 1 }
        const image = { image: 0, rows: 1, columns: 1, region, values: Float32Array.of(value) }
        answers.push(() => resolve({ images: [image] }))
      }),
  )
  const settle = async () => {
    answers.shift()!()
    await new Promise((resolve) => setTimeout(resolve))
  }
  return { look: new Look(what, ask), ask, asked, settle }
}

const shown = (look: Look) => look.images?.[0]?.values[0]

test('begins with the longest word and asks for nothing before it is opened', async () => {
  const { look, ask, settle } = stage()
  expect(look.chosen).toBe(1)
  expect(ask).not.toHaveBeenCalled()
  void look.update()
  expect(look.isBusy).toBe(true)
  await settle()
  expect(shown(look)).toBe(1)
  expect(look.isBusy).toBe(false)
})

test('words passed over while the engine was busy are never asked about; those known are not asked again', async () => {
  const { look, asked, settle } = stage()
  look.choose(0)
  look.choose(1)
  look.choose(2)
  await settle()
  expect(shown(look)).toBeUndefined()
  await settle()
  expect(shown(look)).toBe(2)
  look.choose(0)
  expect(shown(look)).toBe(0)
  expect(asked).toEqual([
    { kind: 'word', tokens: [0] },
    { kind: 'word', tokens: [2] },
  ])
})

test('towers are asked for picture by picture, once their view is open', async () => {
  const { look, asked, settle } = stage()
  look.show('towers')
  await settle()
  expect(shown(look)).toBe(100)
  look.showPicture(1)
  await settle()
  expect(shown(look)).toBe(101)
  expect(asked.map(({ kind }) => kind)).toEqual(['towers', 'towers'])
})

test('a refusal is told and the next choice is asked for', async () => {
  const { look, ask, settle } = stage()
  ask.mockRejectedValueOnce(new Error('look: expected a square map.'))
  await look.update()
  expect(look.problem).toBe('look: expected a square map.')
  look.choose(2)
  await settle()
  expect(look.problem).toBe('')
  expect(shown(look)).toBe(2)
})
