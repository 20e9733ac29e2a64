import { describe, expect, test } from 'vitest'
import '../index'
import { allKernels } from './kernel'

/** The bindings and the Params struct as the shader's text declares them. */
function declared(source: string) {
  const bindings = [...source.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<([^>]+)>\s*(\w+)\s*:/g)].map(
    (match) => ({
      index: Number(match[1]),
      space: match[2]!.replace(/\s+/g, ' '),
      name: match[3]!,
    }),
  )
  const struct = /struct Params \{([^}]*)\}/.exec(source)?.[1] ?? ''
  const params = [...struct.replace(/\/\/[^\n]*/g, '').matchAll(/(\w+)\s*:\s*(\w+)/g)].map((match) => [
    match[1],
    match[2],
  ])
  return { bindings, params, entryPoints: source.match(/@compute/g)?.length ?? 0 }
}

describe('every kernel declares in TypeScript what its shader says', () => {
  test('there are kernels to check', () => expect(allKernels.length).toBeGreaterThan(0))

  test.each(allKernels.map((kernel) => [kernel.spec.name, kernel] as const))('%s', (_, { spec }) => {
    const { bindings, params, entryPoints } = declared(spec.wgsl)
    expect(entryPoints).toBe(1)
    const want = Object.entries(spec.bindings).map(([name, access], index) => ({
      index,
      name,
      space: access === 'read' ? 'storage, read' : 'storage, read_write',
    }))
    if (Object.keys(spec.params).length) want.push({ index: want.length, name: 'params', space: 'uniform' })
    expect(bindings).toEqual(want)
    expect(params).toEqual(Object.entries(spec.params))
  })
})
