/** A whole number with the separators of a language. */
export function countIn(locale: string, count: number): string {
  return Number.isFinite(count) ? Math.round(count).toLocaleString(locale) : '–'
}

/** A number with that many decimals. */
export function decimalsIn(locale: string, value: number, decimals: number): string {
  return value.toLocaleString(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}
