import { afterAll, expect, test } from 'vitest'
import { fuzz } from './judge'
import { targets } from './targets'

/** `npm run fuzz` asks for another seed and more inputs; its names are in tools/fuzz.mjs. */
const { TRILOBITE_FUZZ_SEED = '1', TRILOBITE_FUZZ_RUNS, TRILOBITE_FUZZ_TARGET } = process.env
const seed = Number(TRILOBITE_FUZZ_SEED)
const asked = targets.filter(({ name }) => !TRILOBITE_FUZZ_TARGET || name === TRILOBITE_FUZZ_TARGET)
const planned = asked.reduce((sum, { runs }) => sum + runs, 0)
const scale = TRILOBITE_FUZZ_RUNS === undefined ? 1 : Number(TRILOBITE_FUZZ_RUNS) / planned

let count = 0

test.each(asked)(
  '$name: every input gives a value or an error for people, soon',
  { timeout: 86_400_000 },
  async (target) => {
    const runs = Math.ceil(target.runs * scale)
    const read = await fuzz(target, { seed, runs })
    expect(read).toBe(runs)
    count += read
  },
)

afterAll(() => {
  if (asked.length === targets.length && TRILOBITE_FUZZ_RUNS === undefined)
    expect(count).toBeGreaterThanOrEqual(100_000)
})
