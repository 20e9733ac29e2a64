import { Interrupt } from './interrupt'
import { openModel } from './open-model'
import { json, print } from './output'
import { ProgressLine } from './progress-line'
import type { GradcheckArgs } from './train-args'
import { formatGradients } from './train-output'

/** Compares gradients with finite differences. Returns: the exit status, 1 where they differ. */
export async function gradcheck(args: GradcheckArgs): Promise<number> {
  const interrupt = Interrupt.watch()
  const progress = new ProgressLine()
  const { engine } = await openModel('gradcheck', args, interrupt, progress)
  interrupt.on(() => void engine.training.controlTraining('stop').catch(() => {}))
  const { directions, seed } = args
  const report = await engine.training.checkGradients({ directions, seed }, (done, total) =>
    progress.show(`comparing along direction ${Math.min(done + 1, total)} of ${total}`),
  )
  progress.clear()
  await print(args.json ? json(report) : formatGradients(report))
  return report.passed ? 0 : 1
}
