import { ConfigError } from './errors'

/**
 * Looks a definition up by its exact key.
 *
 * Throws: ConfigError naming the known keys; there is no matching by substring.
 */
export async function lookUp<T>(
  registry: Readonly<Record<string, () => Promise<T>>>,
  what: string,
  key: string,
): Promise<T> {
  const load = Object.hasOwn(registry, key) ? registry[key] : undefined
  if (!load) {
    throw new ConfigError(
      `config.json: ${what} "${key}" is not known; known are ${Object.keys(registry).join(', ')}. Choose another checkpoint.`,
    )
  }
  return load()
}
