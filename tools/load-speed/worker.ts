// The steps in a page's worker, one for each message; answers with what took how long.

import { openGpu } from '../../src/kernels'
import { answerHashRequests, HASH_WORKER, startHashInWorker } from '../../src/worker/hash-threads'
import { openSteps, type StepOptions, type Steps } from './steps'

type Command = { do: 'open'; options: StepOptions } | { do: keyof Steps }

let steps: Steps

async function answer(command: Command): Promise<object> {
  if (command.do === 'open') {
    const gpu = await openGpu(navigator.gpu)
    steps = await openSteps(gpu, startHashInWorker, command.options)
    return { adapter: gpu.adapter.description }
  }
  const started = performance.now()
  const bytes = await steps[command.do]()
  return { mbps: bytes / 1e3 / (performance.now() - started) }
}

if (self.name === HASH_WORKER) void answerHashRequests(self)
else {
  self.onmessage = async ({ data }: MessageEvent<Command>) => {
    try {
      self.postMessage(await answer(data))
    } catch (error) {
      self.postMessage({ failed: String(error) })
    }
  }
}
