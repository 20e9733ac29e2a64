/** Small things kept between visits, as JSON by name. */
export interface Keep {
  /** What was kept, or null. */
  read(name: string): unknown
  write(name: string, value: unknown): void
}

/** Keeps in localStorage. A browser that refuses storage just forgets. */
export const localKeep: Keep = {
  read(name) {
    try {
      return JSON.parse(localStorage.getItem(name) ?? 'null')
    } catch {
      return null
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value))
    } catch {
      // Storage may be full or forbidden; nothing here is worth an error.
    }
  },
}

/** Keeps nothing: what an element holds is nobody else's on its page. */
export const noKeep: Keep = { read: () => null, write: () => {} }
