import { describe, expect, test } from 'vitest'
import { fastest, type Bench, type Candidate } from './fastest'

type Form = 'usual' | 'a' | 'b' | 'packed'
const never = new AbortController().signal
const candidates: Candidate<Form>[] = [
  { form: 'a', tolerance: 1e-4, gain: 0.05 },
  { form: 'b', tolerance: 1e-4, gain: 0.05 },
  { form: 'packed', tolerance: 0.02, gain: 0.2 },
]

/** A bench on which forms take these times in turn, and compute these values. */
class FakeBench implements Bench<Form> {
  readonly calls: string[] = []

  constructor(
    private readonly times: Record<Form, number[] | Error>,
    private readonly outputs: Partial<Record<Form, number[] | Error>> = {},
  ) {}

  async output(form: Form) {
    this.calls.push(`output ${form}`)
    const output = this.outputs[form] ?? [1, -2, 3]
    if (output instanceof Error) throw output
    return output
  }

  async time(form: Form) {
    const times = this.times[form]
    if (times instanceof Error) throw times
    const before = this.calls.filter((call) => call === `time ${form}`).length
    this.calls.push(`time ${form}`)
    return times[before % times.length]!
  }
}

const of = (usual: number, a: number, b: number, packed: number) => ({
  usual: [usual],
  a: [a],
  b: [b],
  packed: [packed],
})

describe('the fastest form', () => {
  test.each([
    [of(100, 120, 110, 130), 'usual'],
    [of(100, 96, 110, 130), 'usual'],
    [of(100, 94, 110, 130), 'a'],
    [of(100, 94, 90, 130), 'b'],
    [of(100, 120, 110, 81), 'usual'],
    [of(100, 94, 110, 81), 'a'],
    [of(100, 94, 110, 79), 'packed'],
    [of(100, 60, 110, 79), 'a'],
  ] as const)('of %j is %s', async (times, want) => {
    expect(await fastest(new FakeBench(times), 'usual', candidates, never)).toBe(want)
  })

  test('is told by medians: single runs that were disturbed, or were lucky, decide nothing', async () => {
    const times = { usual: [100, 100, 900], a: [50, 110, 110], b: [80, 80, 900], packed: [100] }
    expect(await fastest(new FakeBench(times), 'usual', candidates, never)).toBe('b')
  })

  test('takes turns', async () => {
    const bench = new FakeBench(of(100, 90, 80, 70))
    await fastest(bench, 'usual', candidates, never)
    const turn = ['time usual', 'time a', 'time b', 'time packed']
    expect(bench.calls.slice(4)).toEqual(Array.from({ length: 7 }, () => turn).flat())
  })

  test.each([[[1, -2, 3.01]], [[1, -2]], [[1, -2, NaN]], [new Error('the driver refused this shader')]])(
    'is none that computes %j',
    async (output) => {
      const bench = new FakeBench(of(100, 10, 90, 200), { a: output })
      expect(await fastest(bench, 'usual', candidates, never)).toBe('b')
      expect(bench.calls).not.toContain('time a')
    },
  )

  test('may be one in bytes that is as close as bytes come', async () => {
    const close = new FakeBench(of(100, 100, 100, 10), { packed: [1, -2, 3.05] })
    expect(await fastest(close, 'usual', candidates, never)).toBe('packed')
    const wrong = new FakeBench(of(100, 100, 100, 10), { packed: [1, -2, 3.1] })
    expect(await fastest(wrong, 'usual', candidates, never)).toBe('usual')
  })

  test('is none that fails while it is timed; the usual one must not fail', async () => {
    const bench = new FakeBench({ ...of(100, 0, 90, 200), a: new Error('lost') })
    expect(await fastest(bench, 'usual', candidates, never)).toBe('b')
    const lost = new FakeBench({ ...of(0, 90, 90, 200), usual: new Error('lost') })
    await expect(fastest(lost, 'usual', candidates, never)).rejects.toThrow('lost')
    const refused = new FakeBench(of(1, 1, 1, 1), { usual: new Error('refused') })
    await expect(fastest(refused, 'usual', candidates, never)).rejects.toThrow('refused')
  })

  test('is given up at most one run after the signal', async () => {
    for (const last of ['output usual', 'output b', 'time usual', 'time b']) {
      const controller = new AbortController()
      const bench = new FakeBench(of(100, 90, 80, 70))
      const note = bench.calls.push.bind(bench.calls)
      bench.calls.push = (call) => {
        if (call === last) controller.abort(new Error('asked'))
        return note(call)
      }
      await expect(fastest(bench, 'usual', candidates, controller.signal)).rejects.toThrow('asked')
      expect(bench.calls.at(-1)).toBe(last)
    }
  })
})
