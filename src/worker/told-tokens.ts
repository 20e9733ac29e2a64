import type { AskEvent } from './api'

type Told = Extract<AskEvent, { type: 'token' }>

/**
 * Passes an answer's events on, and of an answer that is begun again only what was not told before: the same question
 * gives the same tokens. Where it does not, as on another device, `restart` comes before all of its tokens.
 */
export class ToldTokens {
  /** What the reader has. */
  private told: Told[] = []
  /** Of the attempt that runs, as long as the reader has more. */
  private again: Told[] = []

  constructor(private readonly tell: (event: AskEvent) => void) {}

  /** The answer begins again. */
  restart(): void {
    this.again = []
  }

  readonly onEvent = (event: AskEvent): void => {
    if (event.type !== 'token') return this.tell(event)
    const known = this.told[this.again.length]
    this.again.push(event)
    if (known && known.tokenId === event.tokenId && known.text === event.text) return
    if (known) {
      this.tell({ type: 'restart' })
      this.told = []
      for (const token of this.again) this.pass(token)
      return
    }
    this.pass(event)
  }

  private pass(token: Told): void {
    this.told.push(token)
    this.tell(token)
  }
}
