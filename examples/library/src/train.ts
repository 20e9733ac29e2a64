import type { ExportedFile, StepRecord, Trilobite } from 'trilobite'

interface Training {
  /** Pictures with captions, in a zip. */
  readonly pairs: File
  readonly steps: number
  readonly onStep: (step: StepRecord) => void
}

/** Trains the loaded model's connector, and gives its files as the original projects read them. */
export async function train(
  trilobite: Trilobite,
  { pairs, steps, onStep }: Training,
): Promise<ExportedFile[]> {
  const { training } = trilobite
  const [llava] = await training.recipes()
  if (!llava) throw new Error('train: expected a recipe, got none.')
  const running = trilobite.train({
    name: 'Example',
    recipe: { ...llava.recipe, captionEnd: 'eos', batchSize: 4, accumulate: 1, steps },
    dataset: { kind: 'zip', file: pairs },
    heldOut: 1,
    evaluateEvery: 0,
    captions: 0,
    checkpointEvery: steps,
  })
  for await (const event of running) if (event.type === 'step') onStep(event)
  const { id } = await running.result

  const [layout] = await training.connectorLayouts()
  if (!layout) throw new Error('train: expected a layout for the connector, got none.')
  const files = await training.exportRun(id, layout)
  // It would stay in the browser's own files, where `trilobite.resume` goes on with it.
  await training.deleteRun(id)
  return files
}
