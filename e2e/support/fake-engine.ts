import type { AskEvent, AskRequest, EngineEvent, LoadProgress, ModelInfo, Reply } from '../../src/worker/api'
import type { EngineClient } from '../../src/worker/client'

/**
 * An engine without a GPU, to see and test the page alone: it plays every state the page must show.
 *
 * Served in place of src/worker/client.ts by a test's request interception; never part of a build. What it plays is
 * chosen by the page's query: `?fake=no-webgpu,slow,...`.
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
  /** the worker crashes at the first question. */
  | 'crash'
  /** the loaded model takes no pictures. */
  | 'text-only'

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

const named = (name: string, message: string) => Object.assign(new Error(message), { name })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The fake's connectEngine, of the same form as the real one. */
export function connectEngine(onCrash: (error: Error) => void = () => {}): EngineClient {
  const modes = new Set((new URLSearchParams(location.search).get('fake') ?? '').split(',') as FakeMode[])
  let watcher: (event: EngineEvent) => void = () => {}
  let isCancelled = false
  let isAborted = false
  let isLost = false
  let reused = 0

  const lose = () => {
    isLost = true
    watcher({
      type: 'device-lost',
      reason: 'destroyed',
      message: 'device: expected to keep it, it was destroyed',
    })
  }

  return {
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
        gpuBytes: 17e6,
        peakHostBytes: 20e6,
        loadMs: 400,
      }
    },

    async cancelLoad() {
      isCancelled = true
    },

    async ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
      structuredClone(request) // the real boundary refuses what cannot be cloned
      isAborted = false
      const images = request.messages.flatMap((message) => message.images ?? [])
      for (let image = 0; image < images.length; image++) {
        onEvent({ type: 'encoding', image, images: images.length, cached: false })
        await sleep(60)
      }
      if (modes.has('ask-overflow'))
        throw named('ContextOverflowError', 'context: expected at most 2048 tokens, the prompt has 2391')
      if (modes.has('ask-image')) throw named('ImageError', 'image 1: expected a PNG, its data ends early')
      const promptTokens = 20 + images.length * 64
      onEvent({ type: 'prefill', promptTokens, reusedTokens: reused, imageTokens: images.length * 64 })
      await sleep(80)

      const question = request.messages.at(-1)?.text ?? ''
      const answer = question.includes('long')
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
        await sleep(15)
      }
      const reply: Reply = {
        text,
        finish: isAborted ? 'aborted' : 'stop',
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
      return reply
    },

    async abort() {
      isAborted = true
    },
    async unload() {},
    async watch(onEvent) {
      watcher = onEvent
    },
    async loseDevice() {
      lose()
    },
    dispose() {},
  }
}
