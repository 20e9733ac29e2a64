import type { GradientCheckOptions, GradientReport } from '../../worker/client'
import { explainTraining, isAbort, type Problem } from '../text/explain'
import type { EngineState } from './engine.svelte'
import { surroundings } from './surroundings'

/** Gradients compared with finite differences on the loaded model: how far it is, and what came of it. */
export class GradientCheck {
  /** Set while it goes on. */
  progress = $state.raw<{ done: number; total: number }>()
  report = $state.raw<GradientReport>()
  problem = $state.raw<Problem>()
  isCancelling = $state(false)
  #engine: EngineState
  #say: (text: string) => void

  constructor(engine: EngineState, say: (text: string) => void) {
    this.#engine = engine
    this.#say = say
  }

  async run(options: GradientCheckOptions) {
    if (this.progress || !this.#engine.isReady) return
    this.report = this.problem = undefined
    this.progress = { done: 0, total: 0 }
    try {
      this.report = await this.#engine.call((client) =>
        client.checkGradients(options, (done, total) => {
          if (this.progress) this.progress = { done, total }
        }),
      )
      this.#say(this.report.passed ? 'Gradients agree' : 'Gradients do not agree')
    } catch (error) {
      if (!isAbort(error)) this.problem = explainTraining(error, surroundings())
    } finally {
      this.progress = undefined
      this.isCancelling = false
    }
  }

  /** Ends it without a report. */
  async cancel() {
    if (!this.progress) return
    this.isCancelling = true
    await this.#engine.call((client) => client.cancelOpening()).catch(() => {})
  }
}
