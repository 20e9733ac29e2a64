// Shaders with one line broken, as a slip of the pen would: what a kernel's tests must catch.

/**
 * @typedef {{ readonly line: number, readonly before: string, readonly after: string }} Mutant  line counts from 1
 */

/** What may go wrong in a line, the likeliest to change its result first. Only the first place in a line is broken. */
const SLIPS = /** @type {const} */ ([
  [/ \+= /, ' -= '],
  [/ \*= /, ' += '],
  [/ \* /, ' + '],
  [/ - /, ' + '],
  [/ \+ /, ' - '],
  [/\bmin\(/, 'max('],
  [/\bmax\(/, 'min('],
  [/\bexp\(/, 'cos('],
  [/ \/ /, ' * '],
  [/ % /, ' / '],
  [/ < /, ' >= '],
  [/ == /, ' != '],
  [/ >> /, ' << '],
])

/**
 * Every line of a shader's functions that can be broken, each broken once.
 * @param {string} wgsl
 * @returns {Mutant[]}
 */
export function mutantsOf(wgsl) {
  /** @type {Mutant[]} */
  const mutants = []
  /** Braces open, of a function. */
  let depth = 0
  for (const [i, before] of wgsl.split('\n').entries()) {
    const code = before.replace(/\/\/.*/, '')
    const isInside = depth > 0 && !/^\s*@/.test(code)
    const opensFunction = depth === 0 && (/^fn .*\{/.test(code) || /^\) (-> \S+ )?\{/.test(code))
    if (depth > 0 || opensFunction) depth += count(code, '{') - count(code, '}')
    if (!isInside) continue
    const slip = SLIPS.find(([pattern]) => pattern.test(code))
    if (slip) mutants.push({ line: i + 1, before, after: before.replace(slip[0], slip[1]) })
  }
  return mutants
}

/**
 * As many as asked for, spread over the shader; the others follow, for where a broken line is no valid WGSL.
 * @param {readonly Mutant[]} mutants
 * @param {number} wanted
 * @returns {{ chosen: Mutant[], spare: Mutant[] }}
 */
export function choose(mutants, wanted) {
  const count = Math.min(wanted, mutants.length)
  const at = new Set(
    Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * mutants.length) / count)),
  )
  return {
    chosen: mutants.filter((_, i) => at.has(i)),
    spare: mutants.filter((_, i) => !at.has(i)),
  }
}

/**
 * @param {string} wgsl
 * @param {Mutant} mutant
 */
export function broken(wgsl, { line, before, after }) {
  const lines = wgsl.split('\n')
  if (lines[line - 1] !== before) throw new Error(`line ${line} is not "${before}" any more`)
  lines[line - 1] = after
  return lines.join('\n')
}

/** @param {string} text @param {string} of */
const count = (text, of) => text.split(of).length - 1
