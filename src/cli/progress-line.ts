/** A line on stderr that overwrites itself; nothing where stderr is no terminal. */
export class ProgressLine {
  private isShown = false
  readonly isTerminal = process.stderr.isTTY || process.env.TRILOBITE_STDERR_IS_TERMINAL === '1'

  show(line: string): void {
    if (this.isTerminal) process.stderr.write(`\r\x1b[K${line}`)
    this.isShown = true
  }

  clear(): void {
    if (!this.isShown) return
    this.isShown = false
    if (this.isTerminal) process.stderr.write('\r\x1b[K')
  }

  /** A line that stays. */
  note(line: string): void {
    this.clear()
    process.stderr.write(`${line}\n`)
  }
}
