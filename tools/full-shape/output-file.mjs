import { closeSync, openSync, writeSync } from 'node:fs'

/** A file that is written from its beginning to its end. */
export class OutputFile {
  /** Bytes written so far. */
  at = 0
  #file

  /** @param {string} path */
  constructor(path) {
    this.#file = openSync(path, 'w')
  }

  /**
   * @param {string} path
   * @param {(file: OutputFile) => void} write
   * @returns {number} bytes written
   */
  static write(path, write) {
    const file = new OutputFile(path)
    try {
      write(file)
    } finally {
      closeSync(file.#file)
    }
    return file.at
  }

  /** @param {Uint8Array} bytes */
  add(bytes) {
    for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done)
    this.at += bytes.length
  }
}
