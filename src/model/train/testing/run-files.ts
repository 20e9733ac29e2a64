import { describe, expect, test } from 'vitest'
import { TrainingError } from '../../errors'
import type { RunFiles } from '../run-store'

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)
const bytes = (...values: number[]) => Uint8Array.from(values)

/** What every implementation of RunFiles does. */
export function describeRunFiles(open: () => Promise<RunFiles>): void {
  describe('files of runs', () => {
    test('are read as they were written, whole or in part', async () => {
      const files = await open()
      expect(await files.runs()).toEqual([])
      expect(await files.read('a', 'x.bin')).toBeUndefined()
      expect(await files.size('a', 'x.bin')).toBeUndefined()
      await files.write('a', 'x.bin', bytes(1, 2, 3))
      await files.write('b', 'x.bin', [bytes(4), bytes(), bytes(5, 6)])
      expect((await files.runs()).sort()).toEqual(['a', 'b'])
      expect([...(await files.read('a', 'x.bin'))!]).toEqual([1, 2, 3])
      expect([...(await files.read('b', 'x.bin'))!]).toEqual([4, 5, 6])
      for (const [range, part] of [
        [{ end: 2 }, [4, 5]],
        [{ end: 9 }, [4, 5, 6]],
        [{ start: 0, end: 1 }, [4]],
        [{ start: 1, end: 2 }, [5]],
        [{ start: 1 }, [5, 6]],
        [{ start: 2, end: 9 }, [6]],
        [{ start: 3, end: 9 }, []],
        [{ start: 4, end: 9 }, []],
      ] as const) {
        const read = (await files.read('b', 'x.bin', range))!
        expect([...read]).toEqual(part)
        expect(read.buffer.byteLength).toBe(part.length)
      }
      expect(await files.read('b', 'y.bin', { start: 1, end: 2 })).toBeUndefined()
      expect(await files.size('b', 'x.bin')).toBe(3)
      expect(await files.read('a', 'y.bin')).toBeUndefined()
      await files.write('a', 'x.bin', bytes(7))
      expect([...(await files.read('a', 'x.bin'))!]).toEqual([7])
      await files.write('a', 'x.bin', [])
      expect([...(await files.read('a', 'x.bin'))!]).toEqual([])
      expect(await files.size('a', 'x.bin')).toBe(0)
    })

    test('grow at their end and are cut', async () => {
      const files = await open()
      await files.append('a', 'log.jsonl', 'ä\n')
      await files.append('a', 'log.jsonl', 'second\n')
      expect(text(await files.read('a', 'log.jsonl'))).toBe('ä\nsecond\n')
      expect(text(await files.read('a', 'log.jsonl', { start: 2, end: 5 }))).toBe('\nse')
      await files.truncate('a', 'log.jsonl', 3)
      expect(text(await files.read('a', 'log.jsonl'))).toBe('ä\n')
      await files.truncate('a', 'log.jsonl', 30)
      expect(await files.size('a', 'log.jsonl')).toBe(3)
      await files.append('a', 'log.jsonl', 'third\n')
      expect(text(await files.read('a', 'log.jsonl'))).toBe('ä\nthird\n')
      await files.truncate('a', 'log.jsonl', 0)
      expect(await files.size('a', 'log.jsonl')).toBe(0)
    })

    test('are forgotten with their run', async () => {
      const files = await open()
      await files.write('a', 'run.json', bytes(1))
      await files.append('a', 'log.jsonl', 'x')
      await files.write('b', 'run.json', bytes(2))
      await files.remove('a')
      await files.remove('a')
      expect(await files.runs()).toEqual(['b'])
      expect(await files.read('a', 'log.jsonl')).toBeUndefined()
      expect([...(await files.read('b', 'run.json'))!]).toEqual([2])
    })

    test('have names that stay in their folder', async () => {
      const files = await open()
      for (const name of ['', '..', 'a/b', '../a', '.hidden', 'a.part', 'a\\b', 'x'.repeat(101)]) {
        await expect(files.write('a', name, bytes(1)), name).rejects.toThrow(TrainingError)
        await expect(files.write(name, 'run.json', bytes(1)), name).rejects.toThrow(TrainingError)
      }
      expect(await files.runs()).toEqual([])
    })
  })
}
