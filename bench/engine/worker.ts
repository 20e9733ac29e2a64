// Our side of a benchmark in a page's worker: a message a command, a message an answer.

import { createInference, openAnswering, type Command } from './answer'

const answering = openAnswering(navigator.gpu, {
  cpuMs: () => NaN,
  create(bench, preset) {
    if (preset.kind !== 'train-run' && preset.kind !== 'train-layer') return createInference(bench, preset)
    throw new Error('bench: training is measured in Node')
  },
})

addEventListener('message', ({ data }: MessageEvent<Command>) => {
  void answering.then(
    async (answer) => postMessage(await answer(data)),
    (error: Error) => postMessage({ failed: error.message }),
  )
})
