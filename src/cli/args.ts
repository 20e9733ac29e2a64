import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { SamplingOptions, WeightDtype } from '../worker/api'
import { ADAPTER_CHOICES, type AdapterChoice } from './device'
import { UsageError } from './errors'

export interface AskArgs {
  command: 'ask'
  model: string
  images: string[]
  prompts: string[]
  dtype: WeightDtype
  maxNewTokens: number
  sampling: SamplingOptions
  raw: boolean
  json: boolean
  template: string | undefined
  repos: string | undefined
  base: string | undefined
  memoryBytes: number | undefined
  adapter: AdapterChoice
  dump: string | undefined
}

export interface PlanArgs {
  command: 'plan'
  model: string
  dtype: WeightDtype
  json: boolean
  template: string | undefined
  repos: string | undefined
  base: string | undefined
  memoryBytes: number | undefined
  adapter: AdapterChoice
}

export interface InfoArgs {
  command: 'info'
  json: boolean
  adapter: AdapterChoice
}

export type Args = AskArgs | PlanArgs | InfoArgs | { command: 'help' } | { command: 'version' }

export const HELP = `trilobite: ask a vision-language model about images, on this machine's GPU

  trilobite ask --model PATH|ID [--image FILE]... --prompt TEXT [--prompt TEXT]...
      --prompt TEXT           a question; each further one is the next turn of the same chat
      --image FILE            PNG, JPEG, WebP or GIF; all of them belong to the first turn
      --dtype D               how weights are held: auto (default), f32, f16, q8, q4
      --max-new-tokens N      longest reply in tokens (default 512)
      --temperature T         0 (default) is greedy
      --top-p P  --top-k K    keep the likeliest tokens only (default 1 and 0: all)
      --seed S                of the sampling (default 0)
      --raw                   the prompt verbatim, no chat template; each <image> in it takes the next --image
      --template NAME         chat template by the field's name (vicuna_v1, llama_3, chatml, phi3, plain ...)
                              for checkpoints that bring none
      --json                  one JSON object on stdout instead of streamed text
      --dump FILE             safetensors of turn 1: pixel_values, vision_features, connector_output,
                              inputs_embeds, logits
  trilobite plan --model PATH|ID [--dtype D] [--memory GB] [--json]
      what loading would take: download, GPU memory by part, whether it fits
  trilobite info [--json]
      the adapter, its limits and features, and the self-test's result

  On every command
      --adapter A             auto (default: hardware, else lavapipe, else SwiftShader), default, lavapipe, swiftshader
  Where --model is taken
      --repos DIR             OWNER/NAME is looked for in DIR/OWNER/NAME before the hub, also where a checkpoint refers to it
      --base PATH|ID          the language model of an adapter, a checkpoint that holds a connector alone
      --memory GB             GPU memory to stay within: vision towers that do not fit are fetched for each picture

  PATH|ID is a folder, OWNER/NAME[@REVISION] on Hugging Face, the URL of a folder, or a bundled model:
  "bundled" (trilobite-nano-cambrian) or "bundled/trilobite-nano-llava".
  HF_TOKEN and HF_ENDPOINT are honoured. Errors: one line "Name: message" on stderr, exit status 1.`

const DTYPES: readonly WeightDtype[] = ['auto', 'f32', 'f16', 'q8', 'q4']

type Options = NonNullable<ParseArgsConfig['options']>

const COMMON = {
  adapter: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const
const MODEL = {
  model: { type: 'string' },
  dtype: { type: 'string' },
  template: { type: 'string' },
  repos: { type: 'string' },
  base: { type: 'string' },
  memory: { type: 'string' },
} as const
const ASK = {
  image: { type: 'string', multiple: true },
  prompt: { type: 'string', multiple: true },
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
  if (command === undefined)
    throw new UsageError('trilobite: expected a command (ask, plan, info); try --help')
  if (command === '--help' || command === '-h' || command === 'help') return { command: 'help' }
  if (command === '--version') return { command: 'version' }
  if (command === 'ask') return parseAsk(rest)
  if (command === 'plan') {
    const values = parse('plan', rest, { ...COMMON, ...MODEL })
    return values.help
      ? { command: 'help' }
      : { command: 'plan', ...commonOf('plan', values), ...modelOf('plan', values) }
  }
  if (command === 'info') {
    const values = parse('info', rest, COMMON)
    return values.help ? { command: 'help' } : { command: 'info', ...commonOf('info', values) }
  }
  throw new UsageError(`trilobite: expected a command (ask, plan, info), got "${command}"; try --help`)
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
  return {
    command: 'ask',
    ...commonOf('ask', values),
    ...modelOf('ask', values),
    images,
    prompts,
    raw,
    maxNewTokens: numberOf('--max-new-tokens', values['max-new-tokens'], 512, 1, 1_000_000, true),
    sampling: {
      temperature: numberOf('--temperature', values.temperature, 0, 0, 100, false),
      topP: numberOf('--top-p', values['top-p'], 1, 0, 1, false),
      topK: numberOf('--top-k', values['top-k'], 0, 0, 1_000_000, true),
      repetitionPenalty: 1,
      seed: numberOf('--seed', values.seed, 0, 0, 0xffffffff, true),
    },
    dump: values.dump,
  }
}

/** How many images a raw prompt takes. */
export function imagePlaces(prompt: string): number {
  return prompt.split('<image>').length - 1
}

function parse<T extends Options>(command: string, argv: string[], options: T) {
  try {
    return parseArgs({ args: joinDashValues(argv, options), options, allowPositionals: false, strict: true })
      .values
  } catch (error) {
    // Node's first sentence is good; what follows is about positionals, which no command here takes.
    const message = error instanceof Error ? error.message.split(/\.\s/)[0] : String(error)
    throw new UsageError(`${command}: ${message}; try --help`)
  }
}

/** A prompt may begin with a dash, which parseArgs takes only in the form --prompt=TEXT. */
function joinDashValues(argv: string[], options: Options): string[] {
  const joined: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    const value = argv[i + 1]
    const takesValue = arg.startsWith('--') && options[arg.slice(2)]?.type === 'string'
    const isOption = value !== undefined && /^--?[a-z]/.test(value) && isKnown(value, options)
    if (takesValue && value !== undefined && value.startsWith('-') && !isOption) {
      joined.push(`${arg}=${value}`)
      i++
    } else {
      joined.push(arg)
    }
  }
  return joined
}

function isKnown(arg: string, options: Options): boolean {
  const name = arg.replace(/^--/, '').split('=')[0]!
  return arg === '-h' || (arg.startsWith('--') && name in options)
}

function commonOf(command: string, values: { adapter?: string; json?: boolean }) {
  return {
    adapter: oneOf(`${command}: --adapter`, values.adapter ?? 'auto', ADAPTER_CHOICES),
    json: values.json ?? false,
  }
}

function modelOf(
  command: string,
  values: {
    model?: string
    dtype?: string
    template?: string
    repos?: string
    base?: string
    memory?: string
  },
) {
  if (!values.model)
    throw new UsageError(`${command}: --model is missing: a folder, OWNER/NAME, a URL or "bundled"`)
  return {
    model: values.model,
    dtype: oneOf(`${command}: --dtype`, values.dtype ?? 'auto', DTYPES),
    template: values.template,
    repos: values.repos,
    base: values.base,
    memoryBytes:
      values.memory === undefined
        ? undefined
        : numberOf('--memory', values.memory, 0, 0.001, 1024, false, command) * 1e9,
  }
}

function oneOf<T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined)
    throw new UsageError(`${flag} should be one of ${choices.join(', ')}, got "${value}"`)
  return found
}

function numberOf(
  flag: string,
  text: string | undefined,
  missing: number,
  min: number,
  max: number,
  whole: boolean,
  command = 'ask',
) {
  if (text === undefined) return missing
  const value = text.trim() === '' ? NaN : Number(text)
  if (Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isInteger(value)))
    return value
  throw new UsageError(
    `${command}: ${flag} should be a ${whole ? 'whole ' : ''}number from ${min} to ${max}, got "${text}"`,
  )
}
