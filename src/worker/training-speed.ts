import type { RunEvent } from '../model/train/training-run'
import type { TrainingEvent } from './training-api'

/** Steps that the speed is told of. */
const WINDOW = 10

/** Steps a second, over the last few. */
export class Speed {
  private readonly steps: { ms: number; tokens: number }[] = []

  restart(): void {
    this.steps.length = 0
  }

  private add(ms: number, tokens: number): { stepsPerSecond: number; tokensPerSecond: number } {
    this.steps.push({ ms, tokens })
    if (this.steps.length > WINDOW) this.steps.shift()
    const seconds = this.steps.reduce((sum, step) => sum + step.ms, 0) / 1000
    const total = this.steps.reduce((sum, step) => sum + step.tokens, 0)
    return { stepsPerSecond: this.steps.length / seconds, tokensPerSecond: total / seconds }
  }

  /** An event as the page hears it: a step with its speed, of a run of so many steps. */
  complete(event: RunEvent, steps: number | undefined): TrainingEvent {
    if (event.type !== 'step') return event
    const { stepsPerSecond, tokensPerSecond } = this.add(event.ms, event.tokens)
    const left = (steps ?? event.step) - event.step
    return { ...event, stepsPerSecond, tokensPerSecond, secondsLeft: left / stepsPerSecond }
  }
}
