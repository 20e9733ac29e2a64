// One side of a benchmark: a process that answers a JSON line with a JSON line.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/**
 * What a benchmark asks: a process here, a worker of a page elsewhere.
 *
 * @typedef {object} Asked
 * @property {(command: object) => Promise<any>} ask  rejects where the side fails
 * @property {() => void} end
 */

/**
 * @typedef {object} Start
 * @property {string} [program]  by default this Node
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [cwd]
 */

/** @implements {Asked} */
export class Side {
  /** @type {((line: string | undefined) => void)[]} */
  #waiting = []

  /** @param {string} name @param {string[]} args @param {Start} start */
  constructor(name, args, { program = process.execPath, env, cwd } = {}) {
    this.name = name
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env, cwd })
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

  /** @param {object} command */
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
    return succeeded(this.name, JSON.parse(line))
  }

  end() {
    this.child.kill()
  }
}

/** @param {string} name @param {any} answer */
export function succeeded(name, answer) {
  if (answer.failed) throw new Error(`${name}: ${answer.failed}`)
  return answer
}
