// Dawn's bindings poll a busy GPU by calling the global setImmediate over and over, which keeps a whole processor busy. A
// software adapter needs that processor: on two cores lavapipe does 1.4 times as much without it.

/** Between two looks; a wait is noticed at most that much too late. */
const PAUSE_MS = 0.1

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
  /** @param {(...args: unknown[]) => void} callback @param {unknown[]} args */
  const eased = (callback, ...args) =>
    isNative(callback)
      ? setImmediate(() => {
          Atomics.wait(never, 0, 0, PAUSE_MS)
          callback(...args)
        })
      : setImmediate(callback, ...args)
  // With what hangs on it: util.promisify(setImmediate) finds its promise form there.
  Object.defineProperties(eased, Object.getOwnPropertyDescriptors(setImmediate))
  globalThis.setImmediate = /** @type {typeof setImmediate} */ (eased)
}

/** @param {(...args: unknown[]) => void} callback */
const isNative = (callback) => Function.prototype.toString.call(callback).includes('[native code]')
