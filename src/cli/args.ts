import type { SamplingOptions } from '../worker/api'
import { parseBench, type BenchArgs } from './bench-args'
import { UsageError } from './errors'
import { COMMON, commonOf, MODEL, modelOf, numberOf, parse, type CommonArgs, type ModelArgs } from './options'
import { parseGradcheck, parseTrain, type GradcheckArgs, type TrainArgs } from './train-args'

export interface AskArgs extends CommonArgs, ModelArgs {
  command: 'ask'
  /** Address of the server that answers; undefined where this machine does. */
  endpoint: string | undefined
  images: string[]
  prompts: string[]
  connector: string | undefined
  maxNewTokens: number
  sampling: SamplingOptions
  raw: boolean
  dump: string | undefined
}

export interface PlanArgs extends CommonArgs, ModelArgs {
  command: 'plan'
}

export interface InfoArgs extends CommonArgs {
  command: 'info'
}

export interface TuneArgs extends CommonArgs {
  command: 'tune'
}

export type Args =
  | AskArgs
  | PlanArgs
  | InfoArgs
  | TuneArgs
  | TrainArgs
  | GradcheckArgs
  | BenchArgs
  | { command: 'help' }
  | { command: 'version' }

const COMMANDS = 'ask, plan, train, gradcheck, bench, info, tune'

const ASK = {
  endpoint: { type: 'string' },
  image: { type: 'string', multiple: true },
  prompt: { type: 'string', multiple: true },
  connector: { type: 'string' },
  'max-new-tokens': { type: 'string' },
  temperature: { type: 'string' },
  'top-p': { type: 'string' },
  'top-k': { type: 'string' },
  seed: { type: 'string' },
  raw: { type: 'boolean' },
  dump: { type: 'string' },
} as const

/**
 * Reads a command line, without the program's name.
 * Throws: UsageError.
 */
export function parseCommandLine(argv: string[]): Args {
  const [command, ...rest] = argv
  switch (command) {
    case undefined:
      throw new UsageError(`trilobite: expected a command (${COMMANDS}); try --help`)
    case '--help':
    case '-h':
    case 'help':
      return { command: 'help' }
    case '--version':
      return { command: 'version' }
    case 'ask':
      return parseAsk(rest)
    case 'plan': {
      const values = parse('plan', rest, { ...COMMON, ...MODEL })
      if (values.help) return { command: 'help' }
      return { command: 'plan', ...commonOf('plan', values), ...modelOf('plan', values) }
    }
    case 'train':
      return parseTrain(rest) ?? { command: 'help' }
    case 'gradcheck':
      return parseGradcheck(rest) ?? { command: 'help' }
    case 'bench':
      return parseBench(rest) ?? { command: 'help' }
    case 'info':
    case 'tune': {
      const values = parse(command, rest, COMMON)
      return values.help ? { command: 'help' } : { command, ...commonOf(command, values) }
    }
    default:
      throw new UsageError(`trilobite: expected a command (${COMMANDS}), got "${command}"; try --help`)
  }
}

function parseAsk(argv: string[]): Args {
  const values = parse('ask', argv, { ...COMMON, ...MODEL, ...ASK })
  if (values.help) return { command: 'help' }
  const prompts = values.prompt ?? []
  if (prompts.length === 0)
    throw new UsageError('ask: --prompt TEXT is missing; it can be given several times')
  const images = values.image ?? []
  const raw = values.raw ?? false
  if (raw) {
    const places = prompts.reduce((n, prompt) => n + imagePlaces(prompt), 0)
    if (places !== images.length) {
      throw new UsageError(
        `ask: --raw prompts should hold one <image> for each --image, got ${places} <image> and ${images.length} --image`,
      )
    }
  }
  const onlyHere = (['raw', 'connector', 'dump'] as const).find((name) => values[name] !== undefined)
  if (values.endpoint !== undefined && onlyHere)
    throw new UsageError(`ask: --${onlyHere} needs the model on this machine; leave out --endpoint`)
  const whole = (min: number, max: number) => ({ min, max, whole: true })
  return {
    command: 'ask',
    ...commonOf('ask', values),
    ...modelOf('ask', values),
    endpoint: values.endpoint,
    images,
    prompts,
    raw,
    connector: values.connector,
    maxNewTokens: numberOf('ask: --max-new-tokens', values['max-new-tokens'] ?? '512', whole(1, 1_000_000)),
    sampling: {
      temperature: numberOf('ask: --temperature', values.temperature ?? '0', { min: 0, max: 100 }),
      topP: numberOf('ask: --top-p', values['top-p'] ?? '1', { min: 0, max: 1 }),
      topK: numberOf('ask: --top-k', values['top-k'] ?? '0', whole(0, 1_000_000)),
      repetitionPenalty: 1,
      seed: numberOf('ask: --seed', values.seed ?? '0', whole(0, 0xffffffff)),
    },
    dump: values.dump,
  }
}

/** How many images a raw prompt takes. */
export function imagePlaces(prompt: string): number {
  return prompt.split('<image>').length - 1
}
