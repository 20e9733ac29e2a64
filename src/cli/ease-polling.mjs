// Dawn's bindings poll a busy GPU by calling the global setImmediate over and over, which keeps a whole processor busy. A
// software adapter needs that processor: on two cores lavapipe does 1.4 times as much without it.

/** Between two looks: at least so long, and more as a wait goes on, whose end is noticed at most an eighth of it too late. */
const LEAST_PAUSE_MS = 0.1
/** Looks at every 0.1 ms took about a seventh of the CPU time of a training step on lavapipe. */
const MOST_PAUSE_MS = 0.5

let isEased = false

/**
 * Lets this process sleep for a moment before each of Dawn's looks at the GPU. Native code alone waits so: setImmediate as
 * scripts call it stays as it was. For software adapters; on a GPU polling costs nothing that is needed elsewhere.
 */
export function easePolling() {
  if (isEased) return
  isEased = true
  const { setImmediate } = globalThis
  const never = new Int32Array(new SharedArrayBuffer(4))
  let looks = 0
  let started = 0
  /** @param {(...args: unknown[]) => void} callback @param {unknown[]} args */
  const eased = (callback, ...args) => {
    if (!isNative(callback)) return setImmediate(callback, ...args)
    if (looks++ === 0) started = performance.now()
    return setImmediate(() => {
      const waited = performance.now() - started
      Atomics.wait(never, 0, 0, Math.min(Math.max(waited / 8, LEAST_PAUSE_MS), MOST_PAUSE_MS))
      const asked = looks
      callback(...args)
      if (looks === asked) looks = 0 // nothing is waited for any more
    })
  }
  // With what hangs on it: util.promisify(setImmediate) finds its promise form there.
  Object.defineProperties(eased, Object.getOwnPropertyDescriptors(setImmediate))
  globalThis.setImmediate = /** @type {typeof setImmediate} */ (eased)
}

/** @param {(...args: unknown[]) => void} callback */
const isNative = (callback) => Function.prototype.toString.call(callback).includes('[native code]')
