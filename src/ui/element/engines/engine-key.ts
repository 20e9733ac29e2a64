import type { LoadOptions, ModelSource } from '../../../worker/api'

const numbers = new WeakMap<object, number>()
let lastNumber = 0

/** Comparing what files hold would read them once more. */
function numberOf(files: object): number {
  const number = numbers.get(files) ?? ++lastNumber
  numbers.set(files, number)
  return number
}

function place(source: ModelSource): object {
  switch (source.kind) {
    case 'files':
      return { kind: source.kind, files: numberOf(source.files) }
    case 'hub':
      return { ...source, token: undefined }
    case 'url':
      return source
    case 'endpoint':
      return { ...source, apiKey: undefined }
  }
}

/** The same text for what loads the same model. Tokens are no part of it. */
export function modelKey(source: ModelSource, options: LoadOptions): string {
  const { base } = options
  return canonical({ source: place(source), options: { ...options, base: base && place(base) } })
}

/** JSON with sorted names and without what is undefined. */
const canonical = (value: object): string =>
  JSON.stringify(value, (_name, part: unknown) =>
    part instanceof Object && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
