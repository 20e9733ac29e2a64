import { en, type Messages } from './messages/en'
import { countIn, decimalsIn } from './number'

/** Numbers and times as people read them. All functions are pure and speak English unless told otherwise. */

/** What of a language formats numbers. */
export type Notation = Pick<Messages, 'locale' | 'units'>

const PREFIXES = ['', 'k', 'M', 'G', 'T'] as const

/** Bytes in decimal units with two or three significant digits: `9.3 MB`, `864 MB`, `14.1 GB`. */
export function formatBytes(sizeBytes: number, { locale, units }: Notation = en): string {
  if (!Number.isFinite(sizeBytes) || sizeBytes < 0) return '–'
  let value = sizeBytes
  let prefix = 0
  while (value >= 999.5 && prefix < PREFIXES.length - 1) {
    value /= 1000
    prefix++
  }
  const decimals = prefix === 0 || value >= 99.95 ? 0 : 1
  return `${decimalsIn(locale, value, decimals)} ${PREFIXES[prefix]}${units.byte}`
}

/** A parameter count: `4.6 M`, `864 M`, `7.06 B`. */
export function formatParameters(count: number, { locale }: Notation = en): string {
  if (!Number.isFinite(count) || count < 0) return '–'
  // English says it as model names do; others have words of their own for large numbers.
  if (!/^en\b/.test(locale))
    return count.toLocaleString(locale, { notation: 'compact', maximumSignificantDigits: 3 })
  if (count >= 999.5e6) return `${decimalsIn(locale, count / 1e9, count >= 99.95e9 ? 0 : 2)} B`
  if (count >= 999.5e3) return `${decimalsIn(locale, count / 1e6, count >= 99.95e6 ? 0 : 1)} M`
  if (count >= 1000) return `${decimalsIn(locale, count / 1e3, 0)} k`
  return String(Math.round(count))
}

/** A whole number with thousands separators: `4,096`. */
export function formatCount(count: number, { locale }: Pick<Notation, 'locale'> = en): string {
  return countIn(locale, count)
}

/** A number as it was entered: `0.7`, `1`. */
export function formatPlain(value: number, { locale }: Pick<Notation, 'locale'> = en): string {
  return value.toLocaleString(locale, { maximumFractionDigits: 10, useGrouping: false })
}

/** A measured number: `0.04`, `1,204.5`. */
export function formatDecimals(
  value: number,
  decimals: number,
  { locale }: Pick<Notation, 'locale'> = en,
): string {
  return decimalsIn(locale, value, decimals)
}

/** A share in hundredths: `41%`. */
export function formatPercent(
  share: number,
  { locale }: Pick<Notation, 'locale'> = en,
  decimals = 0,
): string {
  return share.toLocaleString(locale, {
    style: 'percent',
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  })
}

/** Bytes in a second: `12.4 MB/s`. */
export function formatRate(bytesPerSecond: number, notation: Notation = en): string {
  return bytesPerSecond > 0 && Number.isFinite(bytesPerSecond)
    ? notation.units.perSecond(formatBytes(bytesPerSecond, notation))
    : '–'
}

/** Time left, coarse on purpose: `a few seconds`, `40 s`, `3 min`, `1 h 20 min`. */
export function formatTimeLeft(seconds: number, { units }: Pick<Notation, 'units'> = en): string {
  if (!Number.isFinite(seconds) || seconds < 0) return units.unknownTime
  if (seconds < 5) return units.fewSeconds
  if (seconds < 90) return units.seconds(String(Math.ceil(seconds / 5) * 5))
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return units.minutes(minutes)
  const rest = minutes % 60
  const hours = Math.floor(minutes / 60)
  return rest ? units.hoursAndMinutes(hours, rest) : units.hours(hours)
}

/** A measured time: `84 ms`, `1.32 s`, `2 min 5 s`. */
export function formatDuration(elapsedMs: number, { locale, units }: Notation = en): string {
  if (!Number.isFinite(elapsedMs) || elapsedMs < 0) return '–'
  if (elapsedMs < 999.5) return units.milliseconds(Math.round(elapsedMs))
  if (elapsedMs < 59_950)
    return units.seconds(decimalsIn(locale, elapsedMs / 1000, elapsedMs < 9_995 ? 2 : 1))
  const seconds = Math.round(elapsedMs / 1000)
  return units.minutesAndSeconds(Math.floor(seconds / 60), seconds % 60)
}

/** Decoding speed: `41.2 tokens/s`, `0.85 tokens/s`. */
export function formatTokenRate(tokensPerSecond: number, { locale, units }: Notation = en): string {
  if (!Number.isFinite(tokensPerSecond) || tokensPerSecond <= 0) return '–'
  const decimals = tokensPerSecond >= 99.95 ? 0 : tokensPerSecond >= 9.995 ? 1 : 2
  return units.tokensPerSecond(decimalsIn(locale, tokensPerSecond, decimals))
}

/** `1 token`, `2 tokens`: English alone. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A vision tower's name as people read it: of a folder beside the checkpoint its last part, else what the config says. */
export function towerName(name: string): string {
  return name.startsWith('./') ? (name.split('/').filter(Boolean).at(-1) ?? name) : name
}
