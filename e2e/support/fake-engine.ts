import type {
  AskEvent,
  AskRequest,
  EngineEvent,
  LoadProgress,
  ModelInfo,
  Profile,
  ProfilePhase,
  Reply,
  StoredModel,
} from '../../src/worker/api'
import type { EngineClient } from '../../src/worker/client'
import { fakeTraining, type FakeTrainingMode } from './fake-training'

/**
 * An engine without a GPU, to see and test the page alone: it plays every state the page must show.
 *
 * Served in place of the engine's worker, by `playEngine`, or of src/worker/client.ts on a dev server; never part of a
 * build. What it plays is chosen there, or by the page's query: `?fake=no-webgpu,slow,...`.
 */
export type FakeMode =
  /** probe finds no WebGPU. */
  | 'no-webgpu'
  /** the known-answer test fails. */
  | 'self-test'
  /** loading fails so. */
  | 'load-oom'
  | 'load-network'
  | 'load-checkpoint'
  /** loading takes its time. */
  | 'slow-load'
  /** planning finds too little memory. */
  | 'tight'
  /** the device is lost in the middle of every first answer. */
  | 'lose'
  /** every question fails so. */
  | 'ask-overflow'
  | 'ask-image'
  /** every answer is very long, of all that Markdown has, and comes fast. */
  | 'endless'
  /** every answer is the question itself. */
  | 'echo'
  /** the worker crashes at the first question. */
  | 'crash'
  /** the loaded model takes no pictures. */
  | 'text-only'
  /** the model has four vision towers, two of which are fetched for each question. */
  | 'towers'
  /** models have files on this device, one of them damaged and one unfinished. */
  | 'stored'
  | FakeTrainingMode

const STORED: readonly StoredModel[] = [
  {
    id: 'https://huggingface.co/llava-hf/llava-1.5-7b-hf/resolve/main/',
    name: 'llava-hf/llava-1.5-7b-hf@main',
    storedBytes: 14_126_000_000,
    totalBytes: 14_126_000_000,
    lastUsed: Date.UTC(2026, 10, 30),
  },
  {
    id: 'https://models.example/damaged/',
    name: 'https://models.example/damaged/',
    storedBytes: 988_000_000,
    totalBytes: 988_000_000,
    lastUsed: Date.UTC(2026, 10, 12),
  },
  {
    id: 'https://huggingface.co/nyu-visionx/cambrian-8b/resolve/main/',
    name: 'nyu-visionx/cambrian-8b@main',
    storedBytes: 3_200_000_000,
    totalBytes: 16_800_000_000,
    lastUsed: Date.UTC(2026, 9, 3),
  },
]

const REPLY = `The picture shows **two shapes** on a light blue background:

1. a medium *orange star* at the bottom left
2. a large red circle in the middle

| shape | colour | place |
| --- | --- | --- |
| star | orange | bottom left |
| circle | red | middle |

\`\`\`json
{ "shapes": 2, "background": "light blue" }
\`\`\`

More at [the card](https://example.com/card). ![tracker](https://example.com/log.png)
<img src=x onerror="document.title='owned'"> [bad](javascript:alert(1))
`

/** About four thousand words: prose, a list and a table longer than a screen, and code. */
const ENDLESS = [
  'A picture of *many* shapes, `one` after [another](https://example.com/card).\n\n'.repeat(150),
  '- a **large** red circle in the middle, and a small blue square beneath it\n'.repeat(60),
  '\n| shape | colour | place |\n| --- | --- | --- |\n',
  '| star | orange | bottom left |\n'.repeat(60),
  `\n\`\`\`json\n${'{ "shapes": 2, "background": "light blue" }\n'.repeat(100)}\`\`\`\n`,
].join('')

const TOWERS = [
  ['siglip/CLIP-ViT-SO400M-14-384', 428_225_600, 868_000_000, true],
  ['openai/clip-vit-large-patch14-336', 304_293_888, 613_000_000, true],
  ['facebook/dinov2-giant-res378', 1_136_480_768, 2_290_000_000, false],
  ['clip-convnext-XXL-multi-stage', 846_000_000, 1_700_000_000, false],
] as const

/** Kernels with dispatches of a step, and time and multiply-adds of one. */
const KERNELS = [
  ['matmul-direct', 31, 1.897, 9.9e6],
  ['attention-tile-f32', 5, 2.402, 4.8e6],
  ['add-rms-norm', 11, 0.407, 0],
  ['kv-cache-f16', 4, 0.02, 0],
] as const

function profileOf(pictures: number, tokens: number): Profile {
  const phase = (phase: ProfilePhase['phase'], steps: number): ProfilePhase => ({
    phase,
    steps,
    wallMs: 190.4 * steps,
    kernels: KERNELS.map(([kernel, each, ms, flops]) => {
      const dispatches = each * steps
      return { kernel, dispatches, ms: dispatches * ms, flops: dispatches * flops }
    }),
  })
  const phases = [phase('prompt', 1), phase('decode', tokens)]
  return { method: 'timestamps', phases: pictures > 0 ? [phase('encode', pictures), ...phases] : phases }
}

const named = (name: string, message: string) => Object.assign(new Error(message), { name })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The fake's connectEngine, of the same form as the real one. */
export function connectEngine(
  onCrash: (error: Error) => void = () => {},
  played = (new URLSearchParams(location.search).get('fake') ?? '').split(',') as FakeMode[],
): EngineClient {
  const modes = new Set(played)
  let watcher: (event: EngineEvent) => void = () => {}
  let isCancelled = false
  let isAborted = false
  let isLost = false
  let reused = 0
  let stored: StoredModel[] = modes.has('stored') ? [...STORED] : []

  const lose = () => {
    isLost = true
    watcher({
      type: 'device-lost',
      reason: 'destroyed',
      message: 'device: expected to keep it, it was destroyed',
      recovers: false,
    })
  }

  return {
    ...fakeTraining(modes),
    async probe() {
      await sleep(30)
      const ok = !modes.has('no-webgpu') && !modes.has('self-test')
      return {
        ok,
        ...(modes.has('no-webgpu') && {
          problem: {
            name: 'UnsupportedDeviceError' as const,
            message: 'device: expected navigator.gpu, it is missing. Use a browser with WebGPU.',
          },
        }),
        ...(modes.has('self-test') && {
          problem: {
            name: 'SelfTestError' as const,
            message: 'self-test: matmul f16 is off by 0.31, tolerance 0.002. Update the driver.',
          },
        }),
        adapter: { vendor: 'fake', architecture: 'fake', description: 'fake' },
        isSoftware: true,
        features: { shaderF16: true, subgroups: false, timestampQuery: false },
        limits: {
          maxBufferSize: 2 ** 28,
          maxStorageBufferBindingSize: 2 ** 27,
          maxComputeWorkgroupStorageSize: 2 ** 14,
          maxComputeInvocationsPerWorkgroup: 256,
          maxStorageBuffersPerShaderStage: 8,
        },
      }
    },

    async plan(source, options) {
      await sleep(80)
      if (modes.has('load-network')) throw named('NetworkError', 'fetch config.json: expected 200, came 401')
      const isHub = source.kind === 'hub'
      const downloadBytes = isHub ? 1_727_931_456 : 9_263_152
      const language = isHub ? 927e6 : 3.7e6
      const gpuBytes = {
        vision: isHub ? 800e6 : 5.4e6,
        connector: isHub ? 4.4e6 : 0.15e6,
        language,
        kvCache: isHub ? 403e6 : 2.1e6,
        activations: isHub ? 180e6 : 6e6,
      }
      const total = Object.values(gpuBytes).reduce((a, b) => a + b)
      const fits = !modes.has('tight')
      return {
        model: isHub ? source.repo : 'trilobite-nano-llava',
        architecture: 'llava (clip_vision_model, mlp2x_gelu, llama)',
        dtype: options.dtype === 'auto' ? 'f16' : options.dtype,
        files: [
          { path: 'model-00001-of-00002.safetensors', sizeBytes: downloadBytes / 2 },
          { path: 'model-00002-of-00002.safetensors', sizeBytes: downloadBytes / 2 },
        ],
        downloadBytes,
        gpuBytes: { ...gpuBytes, total },
        towers: modes.has('towers')
          ? TOWERS.map(([name, parameters, gpuBytes, resident]) => ({
              name,
              parameters,
              gpuBytes,
              fileBytes: 2 * parameters,
              resident: resident || (options.memoryBytes ?? 0) >= 10e9,
            }))
          : [
              {
                name: 'clip_vision_model',
                parameters: 2_700_000,
                gpuBytes: gpuBytes.vision,
                fileBytes: 5_400_000,
                resident: true,
              },
            ],
        fits,
        ...(!fits && { advice: 'About 2.3 GB are needed and 1.0 GB is likely there. Use q4: about 1.1 GB.' }),
        contextLength: options.contextLength ?? 2048,
        imageTokens: isHub ? 729 : 64,
        parameters: isHub ? 863_965_728 : 4_622_400,
      }
    },

    async load(source, options, onProgress: (progress: LoadProgress) => void): Promise<ModelInfo> {
      isCancelled = false
      const stopIfCancelled = () => {
        if (isCancelled) throw named('AbortError', 'load: cancelled')
      }
      onProgress({ phase: 'config', file: 'config.json' })
      await sleep(40)
      if (modes.has('load-oom'))
        throw named('OutOfMemoryError', 'memory: expected 272 MB for lm_head, the device refused. Use q4.')
      if (modes.has('load-checkpoint'))
        throw named('CheckpointError', 'checkpoint: 2 tensors missing (model.norm.weight, lm_head.weight)')
      const totalBytes = source.kind === 'hub' ? 1_727_931_456 : 9_263_152
      const steps = modes.has('slow-load') ? 200 : 10
      for (let i = 0; i <= steps; i++) {
        stopIfCancelled()
        const doneBytes = (totalBytes * i) / steps
        const fileIndex = i * 2 > steps ? 1 : 0
        onProgress({
          phase: 'weights',
          file: `model-0000${fileIndex + 1}-of-00002.safetensors`,
          fileIndex,
          fileCount: 2,
          fileDoneBytes: doneBytes - (fileIndex * totalBytes) / 2,
          fileTotalBytes: totalBytes / 2,
          doneBytes,
          totalBytes,
          bytesPerSecond: 24_300_000,
          secondsLeft: (totalBytes - doneBytes) / 24_300_000,
        })
        await sleep(modes.has('slow-load') ? 100 : 5)
      }
      for (let done = 0; done <= 12; done++) {
        stopIfCancelled()
        onProgress({ phase: 'compile', done, total: 12 })
        await sleep(3)
      }
      onProgress({ phase: 'ready' })
      return {
        model: source.kind === 'hub' ? source.repo : 'trilobite-nano-llava',
        architecture: 'llava',
        dtype: options.dtype === 'auto' ? 'f16' : options.dtype,
        parameters: 4_622_400,
        contextLength: options.contextLength ?? 2048,
        imageTokens: modes.has('text-only') ? 0 : 64,
        acceptsImages: !modes.has('text-only'),
        towers: modes.has('towers') ? TOWERS.map(([name]) => name) : [],
        gpuBytes: 17e6,
        peakHostBytes: 20e6,
        files: [],
        loadMs: 400,
        notes: modes.has('towers') ? ['siglip runs on the CPU: its encoder does not share the GPU.'] : [],
      }
    },

    async cancelLoad() {
      isCancelled = true
    },

    async ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
      structuredClone(request) // the real boundary refuses what cannot be cloned
      isAborted = false
      const images = request.messages.flatMap((message) => message.images ?? [])
      if (images.length > 0) {
        onEvent({ type: 'encoding', images: images.length, cached: 0, share: 0 })
        await sleep(60)
      }
      if (images.length > 0 && modes.has('towers')) {
        for (const [tower, [name, parameters, , resident]] of TOWERS.entries()) {
          if (resident) continue
          const totalBytes = 2 * parameters
          for (let part = 0; part <= 10; part++) {
            const doneBytes = (totalBytes * part) / 10
            onEvent({
              type: 'tower',
              tower,
              towers: TOWERS.length,
              name,
              doneBytes,
              totalBytes,
              cached: false,
            })
            await sleep(40)
          }
        }
        onEvent({
          type: 'notice',
          message:
            'config.json: image_position is 91, but in this prompt the picture stands at 35. It is refined where it stands.',
        })
      }
      if (modes.has('ask-overflow'))
        throw named('ContextOverflowError', 'context: expected at most 2048 tokens, the prompt has 2391')
      if (modes.has('ask-image')) throw named('ImageError', 'image 1: expected a PNG, its data ends early')
      const promptTokens = 20 + images.length * 64
      onEvent({ type: 'prefill', promptTokens, reusedTokens: reused, imageTokens: images.length * 64 })
      await sleep(80)

      const question = request.messages.at(-1)?.text ?? ''
      const answer = modes.has('endless')
        ? ENDLESS
        : modes.has('echo')
          ? question
          : question.includes('long')
            ? `${REPLY}\n`.repeat(6)
            : question.includes('Describe')
              ? REPLY
              : 'There are **three** shapes.'
      const words = answer.match(/\s*\S+|\s+$/g) ?? []
      let text = ''
      let index = 0
      for (const word of words) {
        if (isAborted) break
        if (index === 4 && modes.has('crash')) {
          onCrash(
            named(
              'WorkerCrashError',
              'worker: expected the engine to keep running, but it ran out of memory',
            ),
          )
          await new Promise(() => {})
        }
        if (index === 4 && modes.has('lose')) {
          modes.delete('lose')
          lose()
        }
        if (isLost) throw named('DeviceLostError', 'ask: the device was lost. Reload the model.')
        text += word
        onEvent({ type: 'token', text: word, tokenId: 100 + index, index })
        index++
        if (modes.has('echo')) continue
        if (!modes.has('endless')) await sleep(15)
        else if (index % 24 === 0) await sleep(8)
      }
      const reply: Reply = {
        text,
        finish: isAborted ? 'aborted' : 'stop',
        generatedTokens: index,
        tokenIds: words.slice(0, index).map((_, i) => 100 + i),
        promptTokenIds: [],
        promptTokens,
        imageTokens: images.length * 64,
        reusedTokens: reused,
        prefillMs: 312,
        decodeMs: index * 15,
        tokensPerSecond: 61.4,
      }
      reused = promptTokens
      if (request.profile) reply.profile = profileOf(images.length, index)
      return reply
    },

    async abort() {
      isAborted = true
    },
    async look(request) {
      await sleep(120)
      const region = { left: 0, top: -1 / 6, right: 1, bottom: 7 / 6 }
      const of = (count: number, value: (row: number, column: number) => number[]) =>
        Float32Array.from(
          Array.from({ length: 24 * 24 }, (_, i) => value(Math.floor(i / 24), i % 24)).flat(),
        ).slice(0, 24 * 24 * count)
      if (request.kind === 'towers') {
        const values = of(TOWERS.length, (row, column) => {
          const raw = TOWERS.map((_, t) =>
            Math.exp(1.5 * (Math.sin(row / (3 + t) + t) + Math.cos(column / (5 - t) - t))),
          )
          const sum = raw.reduce((a, b) => a + b)
          return raw.map((share) => share / sum)
        })
        const towers = TOWERS.map(([name]) => name)
        return { images: [{ image: request.image, rows: 24, columns: 24, region, values, towers }] }
      }
      const [token = 0] = request.tokens
      const values = of(1, (row, column) => {
        const distance = Math.hypot(row - 5 - (token % 14), column - 4 - ((token * 5) % 16))
        return [0.02 * Math.exp(-(distance ** 2) / 12) + 0.0004 * ((row * 7 + column * 3) % 5)]
      })
      return { images: [{ image: 0, rows: 24, columns: 24, region, values, share: 0.31 }] }
    },
    async unload() {},
    async close() {},
    async storedModels() {
      return stored
    },
    async removeStored(id) {
      stored = stored.filter((model) => model.id !== id)
    },
    async verifyStored(id, onProgress) {
      const { totalBytes } = stored.find((model) => model.id === id)!
      for (const share of [0.25, 0.5, 1]) {
        onProgress(share * totalBytes, totalBytes)
        await new Promise((done) => setTimeout(done, 100))
      }
      return id.includes('damaged') ? ['model-00001-of-00002.safetensors'] : []
    },
    async cancelVerify() {},
    async gpuMemory() {
      return { allocatedBytes: 0, peakBytes: 0 }
    },
    async watch(onEvent) {
      watcher = onEvent
    },
    async loseDevice() {
      lose()
    },
    dispose() {},
  }
}
