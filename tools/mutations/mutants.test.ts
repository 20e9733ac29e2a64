import { expect, test } from 'vitest'
import { broken, choose, mutantsOf } from './mutants.mjs'

const WGSL = `// y = 2 * x
const TWICE = 1u * 2u;

fn twice(v: f32) -> f32 { return v * 2.0; }

@compute @workgroup_size(8)
fn double(@builtin(global_invocation_id) id: vec3u) {
  // a * b
  let i = id.x;
  if (i < params.count) {
    y[i] += twice(x[i]);
  }
}
`

test('breaks a line of a function at one place', () => {
  expect(mutantsOf(WGSL)).toEqual([
    { line: 10, before: '  if (i < params.count) {', after: '  if (i >= params.count) {' },
    { line: 11, before: '    y[i] += twice(x[i]);', after: '    y[i] -= twice(x[i]);' },
  ])
})

test('puts the broken line in its place', () => {
  const [mutant] = mutantsOf(WGSL)
  expect(broken(WGSL, mutant!)).toBe(WGSL.replace('i < params', 'i >= params'))
  expect(() => broken(`\n${WGSL}`, mutant!)).toThrow('line 10 is not')
})

test('spreads what it chooses', () => {
  const mutants = Array.from({ length: 9 }, (_, i) => ({ line: i, before: 'a', after: 'b' }))
  const { chosen, spare } = choose(mutants, 3)
  expect(chosen.map(({ line }) => line)).toEqual([1, 4, 7])
  expect(spare.length).toBe(6)
  expect(choose(mutants, 20).chosen.length).toBe(9)
})
