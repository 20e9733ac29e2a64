import type { AskRequest, ImageInput, LocalModelInfo, Profile, LocalReply } from '../worker/api'
import { AbortError } from '../model/errors'
import { conversationAt, readImages } from './ask'
import type { BenchArgs } from './bench-args'
import { formatBench } from './bench-output'
import { Interrupt } from './interrupt'
import { openModel } from './open-model'
import { adapterName, json, print } from './output'
import { ProgressLine } from './progress-line'

/** One load and one answer. Units: milliseconds. */
export interface BenchRun {
  loadMs: number
  /** From the question until its pictures were encoded. */
  encodeMs: number
  reply: Pick<LocalReply, 'prefillMs' | 'decodeMs' | 'promptTokens' | 'imageTokens' | 'tokenIds' | 'profile'>
}

/** The object `bench --json` writes; a contract. */
export interface BenchReport {
  model: string
  adapter: string
  dtype: LocalModelInfo['dtype']
  runs: number
  promptTokens: number
  imageTokens: number
  /** Generated in a run. */
  tokens: number
  medians: {
    loadMs: number
    /** From the question, pictures included. */
    firstTokenMs: number
    /** From the first byte of a model that is on this machine: both together. */
    loadToFirstTokenMs: number
    encodeMs: number
    /** Of the prompt, pictures' tokens included and the time to encode them not. */
    promptTokensPerSecond: number
    decodeTokensPerSecond: number
  }
  dispatchesPerToken: number
  /** Of a run that is not among the others; with --profile. */
  profile?: Profile
}

/** Loads a model and asks it, several times, each on a device of its own as after opening a page. */
export async function bench(args: BenchArgs): Promise<void> {
  const images = await readImages(args.images)
  const interrupt = Interrupt.watch()
  const progress = new ProgressLine()
  /** The first one brings the model's files into memory and counts dispatches; the others are timed. */
  const first = await runOnce(args, images, true, interrupt, progress)
  const runs: BenchRun[] = []
  for (let run = 1; run <= args.runs; run++) {
    progress.show(`run ${run} of ${args.runs}`)
    runs.push(await runOnce(args, images, false, interrupt, progress))
  }
  progress.clear()
  const { model, dtype } = first.loaded
  const report: BenchReport = {
    model,
    adapter: first.adapter,
    dtype,
    ...summarise(runs, first.reply.profile!),
    ...(args.profile && { profile: first.reply.profile! }),
  }
  await print(args.json ? json(report) : formatBench(report))
}

async function runOnce(
  args: BenchArgs,
  images: ImageInput[],
  profile: boolean,
  interrupt: Interrupt,
  progress: ProgressLine,
) {
  const { engine, report, loaded } = await openModel('bench', args, interrupt, progress)
  interrupt.on(() => void engine.abort())
  try {
    const request: AskRequest = {
      ...conversationAt({ prompts: [args.prompt], raw: false }, images, []),
      sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
      maxNewTokens: args.maxNewTokens,
      profile,
    }
    const asked = performance.now()
    let encodeMs = 0
    const reply = await engine.ask(request, (event) => {
      if (event.type === 'prefill') encodeMs = performance.now() - asked
    })
    if (reply.finish === 'aborted') throw new AbortError('bench: stopped before the reply was complete')
    return { loaded, adapter: adapterName(report), loadMs: loaded.loadMs, encodeMs, reply }
  } finally {
    await engine.close()
  }
}

/** Medians of runs of one question, and the dispatches of a token by a profile of the same. */
export function summarise(
  runs: readonly BenchRun[],
  { phases }: Profile,
): Omit<BenchReport, 'model' | 'adapter' | 'dtype' | 'profile'> {
  const { promptTokens, imageTokens, tokenIds } = runs[0]!.reply
  const medianOf = (value: (run: BenchRun) => number) => median(runs.map(value))
  const decode = phases.find(({ phase }) => phase === 'decode')
  return {
    runs: runs.length,
    promptTokens,
    imageTokens,
    tokens: tokenIds.length,
    medians: {
      loadMs: medianOf(({ loadMs }) => loadMs),
      firstTokenMs: medianOf(({ reply }) => reply.prefillMs),
      loadToFirstTokenMs: medianOf(({ loadMs, reply }) => loadMs + reply.prefillMs),
      encodeMs: medianOf(({ encodeMs }) => encodeMs),
      promptTokensPerSecond: medianOf(
        ({ encodeMs, reply }) => (promptTokens / (reply.prefillMs - encodeMs)) * 1e3,
      ),
      // The first token belongs to the prompt's time.
      decodeTokensPerSecond: medianOf(({ reply }) =>
        reply.tokenIds.length > 1 ? ((reply.tokenIds.length - 1) / reply.decodeMs) * 1e3 : 0,
      ),
    },
    dispatchesPerToken: decode
      ? decode.kernels.reduce((sum, { dispatches }) => sum + dispatches, 0) / decode.steps
      : 0,
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle - 0.5)]! + sorted[Math.floor(middle)]!) / 2
}
