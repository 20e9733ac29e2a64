/**
 * Turns token ids into text as they come, whole characters only.
 *
 * A token may hold part of a UTF-8 sequence, and sentencepiece tokens need their neighbour to know about a space, so
 * each step decodes a short window and compares it with the window before. Text that may be the start of a stop string
 * is held back until that is settled.
 */
export class TextStream {
  private readonly ids: number[] = []
  /** Ids before this are not decoded any more. */
  private windowStart = 0
  /** Ids before this are in `text`. */
  private windowEnd = 0
  private text = ''
  private emitted = 0
  /** The stop string that ended the text, once one came. */
  stoppedBy: string | undefined

  constructor(
    private readonly decode: (ids: readonly number[]) => string,
    private readonly stop: readonly string[] = [],
  ) {}

  /** Takes an id. Returns: the text that is now certain, possibly none. */
  push(id: number): string {
    if (this.stoppedBy !== undefined) return ''
    this.ids.push(id)
    const before = this.decode(this.ids.slice(this.windowStart, this.windowEnd))
    const now = this.decode(this.ids.slice(this.windowStart))
    if (now.length <= before.length || now.endsWith('\uFFFD')) return ''
    this.text += now.slice(before.length)
    this.windowStart = this.windowEnd
    this.windowEnd = this.ids.length
    return this.release(this.holdBack())
  }

  /** Returns: what was held back, at the end of the reply. */
  finish(): string {
    if (this.stoppedBy === undefined) {
      const before = this.decode(this.ids.slice(this.windowStart, this.windowEnd))
      this.text += this.decode(this.ids.slice(this.windowStart)).slice(before.length)
    }
    return this.release(0)
  }

  /** All text so far, without the stop string. */
  get value(): string {
    return this.text
  }

  /** Cuts at a stop string. Returns: how many characters at the end may be the start of one. */
  private holdBack(): number {
    let held = 0
    for (const stop of this.stop) {
      const at = this.text.indexOf(stop, Math.max(0, this.emitted - stop.length))
      if (at >= 0) {
        this.text = this.text.slice(0, at)
        this.stoppedBy = stop
        return 0
      }
      for (let length = Math.min(stop.length - 1, this.text.length); length > held; length--) {
        if (this.text.endsWith(stop.slice(0, length))) held = length
      }
    }
    return held
  }

  private release(held: number): string {
    const until = this.text.length - held
    const fresh = until > this.emitted ? this.text.slice(this.emitted, until) : ''
    this.emitted = Math.max(this.emitted, until)
    return fresh
  }
}
