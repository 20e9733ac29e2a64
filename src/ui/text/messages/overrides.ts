/** Any part of it; functions and lists are replaced as a whole. */
export type DeepPartial<T> = T extends ((...args: never[]) => unknown) | readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> }
    : T

/**
 * `base` with what `overrides` gives in its place. They may come from a page without types: what `base` does not know, or
 * knows as something else, is left out, so that no screen meets a word it cannot show.
 */
export function laidOver<T extends object>(base: T, overrides: NoInfer<DeepPartial<T>>): T {
  if (Object.keys(overrides).length === 0) return base
  const merged = Object.entries(base).map(([key, value]: [string, unknown]) => {
    const own: unknown = Object.hasOwn(overrides, key) ? overrides[key as keyof typeof overrides] : undefined
    if (kindOf(own) !== kindOf(value)) return [key, value]
    if (kindOf(value) === 'object') return [key, laidOver(value as object, own as object)]
    return key === 'locale' && !isLocale(own) ? [key, value] : [key, own]
  })
  return Object.fromEntries(merged) as T
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  return value === null ? 'null' : typeof value
}

function isLocale(tag: unknown): boolean {
  try {
    return Intl.getCanonicalLocales(tag as string).length === 1
  } catch {
    return false
  }
}
