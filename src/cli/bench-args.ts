import { COMMON, commonOf, MODEL, modelOf, numberOf, parse, type CommonArgs, type ModelArgs } from './options'

export interface BenchArgs extends CommonArgs, ModelArgs {
  command: 'bench'
  images: string[]
  prompt: string
  maxNewTokens: number
  runs: number
  profile: boolean
}

const BENCH = {
  image: { type: 'string', multiple: true },
  prompt: { type: 'string' },
  'max-new-tokens': { type: 'string' },
  runs: { type: 'string' },
  profile: { type: 'boolean' },
} as const

const whole = (min: number, max: number) => ({ min, max, whole: true })

/** Undefined where help is asked for. Throws: UsageError. */
export function parseBench(argv: string[]): BenchArgs | undefined {
  const values = parse('bench', argv, { ...COMMON, ...MODEL, ...BENCH })
  if (values.help) return undefined
  const images = values.image ?? []
  return {
    command: 'bench',
    ...commonOf('bench', values),
    ...modelOf('bench', values),
    images,
    prompt: values.prompt ?? (images.length > 0 ? 'Describe the image.' : 'Tell me a story.'),
    maxNewTokens: numberOf('bench: --max-new-tokens', values['max-new-tokens'] ?? '128', whole(1, 1_000_000)),
    runs: numberOf('bench: --runs', values.runs ?? '3', whole(1, 1000)),
    profile: values.profile ?? false,
  }
}
