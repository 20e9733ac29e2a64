import code from 'virtual:engine-worker'

interface TrustedTypePolicy {
  createScriptURL(url: string): string
}

interface TrustedTypes {
  createPolicy(name: string, rules: TrustedTypePolicy): TrustedTypePolicy
}

const made = new Set<string>()
let policy: TrustedTypePolicy | undefined

/** The address as pages that require Trusted Types want it. */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  policy ??= trustedTypes?.createPolicy('trilobite', {
    createScriptURL(asked) {
      if (made.has(asked)) return asked
      throw new TypeError(
        `policy trilobite: expected the address of the engine's worker, got ${asked}. Use a policy of your own.`,
      )
    },
  })
  return policy ? policy.createScriptURL(url) : url
}

/** Starts the engine's worker from its code in this module, so that it starts on pages of any origin. */
export function startInlineWorker(): Worker {
  if (globalThis.origin === 'null') {
    throw new Error(
      'this page has no origin of its own (a sandboxed frame?), where browsers start no worker with WebGPU. ' +
        "Add allow-same-origin to the frame's sandbox",
    )
  }
  const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }))
  made.add(url)
  const forget = () => {
    made.delete(url)
    URL.revokeObjectURL(url)
  }
  try {
    const worker = new Worker(trusted(url), { type: 'module', name: 'trilobite-engine' })
    // Earlier, the script might not have been fetched yet.
    worker.addEventListener('message', forget, { once: true })
    worker.addEventListener('error', forget, { once: true })
    return worker
  } catch (error) {
    forget()
    throw error
  }
}
