/** Numbers and times as people read them. All functions are pure and use English formatting. */

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes in decimal units with two or three significant digits: `9.3 MB`, `864 MB`, `14.1 GB`. */
export function formatBytes(sizeBytes: number): string {
  if (!Number.isFinite(sizeBytes) || sizeBytes < 0) return '–'
  let value = sizeBytes
  let unit = 0
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`
}

/** A parameter count: `4.6 M`, `864 M`, `7.06 B`. */
export function formatParameters(count: number): string {
  if (!Number.isFinite(count) || count < 0) return '–'
  if (count >= 999.5e6) return `${(count / 1e9).toFixed(count >= 99.95e9 ? 0 : 2)} B`
  if (count >= 999.5e3) return `${(count / 1e6).toFixed(count >= 99.95e6 ? 0 : 1)} M`
  if (count >= 1000) return `${(count / 1e3).toFixed(0)} k`
  return String(Math.round(count))
}

/** A whole number with thousands separators: `4,096`. */
export function formatCount(count: number): string {
  return Number.isFinite(count) ? Math.round(count).toLocaleString('en') : '–'
}

/** Bytes in a second: `12.4 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return bytesPerSecond > 0 && Number.isFinite(bytesPerSecond) ? `${formatBytes(bytesPerSecond)}/s` : '–'
}

/** Time left, coarse on purpose: `a few seconds`, `40 s`, `3 min`, `1 h 20 min`. */
export function formatTimeLeft(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return 'unknown'
  if (seconds < 5) return 'a few seconds'
  if (seconds < 90) return `${Math.ceil(seconds / 5) * 5} s`
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const rest = minutes % 60
  return `${Math.floor(minutes / 60)} h${rest ? ` ${rest} min` : ''}`
}

/** A measured time: `84 ms`, `1.32 s`, `2 min 5 s`. */
export function formatDuration(elapsedMs: number): string {
  if (!Number.isFinite(elapsedMs) || elapsedMs < 0) return '–'
  if (elapsedMs < 999.5) return `${Math.round(elapsedMs)} ms`
  if (elapsedMs < 59_950) return `${(elapsedMs / 1000).toFixed(elapsedMs < 9_995 ? 2 : 1)} s`
  const seconds = Math.round(elapsedMs / 1000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/** Decoding speed: `41.2 tokens/s`, `0.85 tokens/s`. */
export function formatTokenRate(tokensPerSecond: number): string {
  if (!Number.isFinite(tokensPerSecond) || tokensPerSecond <= 0) return '–'
  const digits = tokensPerSecond >= 99.95 ? 0 : tokensPerSecond >= 9.995 ? 1 : 2
  return `${tokensPerSecond.toFixed(digits)} tokens/s`
}

/** `1 token`, `2 tokens`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A vision tower's name as people read it: of a folder beside the checkpoint its last part, else what the config says. */
export function towerName(name: string): string {
  return name.startsWith('./') ? (name.split('/').filter(Boolean).at(-1) ?? name) : name
}
