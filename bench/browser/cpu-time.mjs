import { readdirSync, readFileSync } from 'node:fs'

/** Ticks of /proc's clock in a second: USER_HZ, 100 on every Linux. */
const TICKS = 100

/** CPU time so far of all processes below this one, those that ended included; NaN where there is no /proc. */
export function childrenCpuMs() {
  let names
  try {
    names = readdirSync('/proc')
  } catch {
    return NaN
  }
  /** @type {Map<number, { parent: number, ticks: number }>} */
  const processes = new Map()
  for (const name of names) {
    const stat = Number(name) ? readStat(name) : undefined
    if (stat) processes.set(Number(name), stat)
  }
  const isBelow = (/** @type {number | undefined} */ pid) => {
    for (let up = pid; up; up = processes.get(up)?.parent) if (up === process.pid) return true
    return false
  }
  let ticks = 0
  for (const stat of processes.values()) if (isBelow(stat.parent)) ticks += stat.ticks
  return (ticks / TICKS) * 1e3
}

/** @param {string} pid */
function readStat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Behind the name, which may hold anything: state, parent, and from the twelfth on utime, stime, cutime, cstime.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return { parent: Number(fields[1]), ticks }
  } catch {
    return undefined // ended meanwhile
  }
}
