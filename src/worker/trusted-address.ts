interface TrustedTypePolicy {
  createScriptURL(url: string): string
}

interface TrustedTypes {
  createPolicy(name: string, rules: TrustedTypePolicy): TrustedTypePolicy
}

const made = new Set<string>()
let policy: TrustedTypePolicy | undefined

/** The address of a worker's own code, as pages that require Trusted Types want it. */
export function trustedAddress(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  made.add(url)
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
