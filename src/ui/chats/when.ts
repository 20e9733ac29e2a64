/** A time as lists tell it, the shorter the nearer: `14:05`, `12 Nov`, `12 Nov 2025`. */
export function when(time: number, locale: string, now = Date.now()): string {
  const [date, today] = [new Date(time), new Date(now)]
  if (date.toDateString() === today.toDateString())
    return date.toLocaleTimeString(locale, { hour: 'numeric', minute: '2-digit' })
  const isThisYear = date.getFullYear() === today.getFullYear()
  return date.toLocaleDateString(locale, {
    day: 'numeric',
    month: 'short',
    ...(!isThisYear && { year: 'numeric' }),
  })
}
