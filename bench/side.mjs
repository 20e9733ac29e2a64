// One side of a benchmark: a process that answers a JSON line with a JSON line.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export class Side {
  /** @type {((line: string | undefined) => void)[]} */
  #waiting = []

  /** @param {string} name @param {string[]} args @param {NodeJS.ProcessEnv} env @param {string} [program] */
  constructor(name, args, env, program = process.execPath) {
    this.name = name
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.errors = ''
    this.child.stderr
      .setEncoding('utf8')
      .on('data', (text) => (this.errors = (this.errors + text).slice(-2000)))
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      // Drivers and libraries may write notes of their own.
      if (line.startsWith('{')) this.#waiting.shift()?.(line)
    })
    this.child.on('close', () => {
      for (const settle of this.#waiting.splice(0)) settle(undefined)
    })
    this.child.stdin.on('error', () => {})
    this.child.on('error', (error) => (this.errors = error.message))
  }

  /**
   * @param {object} command
   * @returns {Promise<any>}
   */
  async ask(command) {
    const line = await new Promise((settle) => {
      this.#waiting.push(settle)
      if (this.child.exitCode !== null || this.child.signalCode !== null) return settle(undefined)
      this.child.stdin.write(`${JSON.stringify(command)}\n`)
    })
    if (line === undefined) {
      const end = this.child.signalCode ?? this.child.exitCode
      throw new Error(`${this.name}: the process ended (${end}): ${this.errors.trim().split('\n').at(-1)}`)
    }
    const answer = JSON.parse(line)
    if (answer.failed) throw new Error(`${this.name}: ${answer.failed}`)
    return answer
  }

  end() {
    this.child.kill()
  }
}
