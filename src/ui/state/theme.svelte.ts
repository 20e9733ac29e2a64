import { localKeep } from './storage'

export type ThemeName = 'system' | 'light' | 'dark'
const NAMES: readonly ThemeName[] = ['system', 'light', 'dark']
const KEY = 'trilobite.theme'

/** Light, dark, or what the system says. */
export class Theme {
  name = $state<ThemeName>('system')

  constructor() {
    const saved = localKeep.read(KEY) as ThemeName
    if (NAMES.includes(saved)) this.name = saved
  }

  /** Writes the theme on an element whose stylesheet reads `data-theme`. */
  apply(element: HTMLElement) {
    if (this.name === 'system') delete element.dataset['theme']
    else element.dataset['theme'] = this.name
  }

  next() {
    this.name = NAMES[(NAMES.indexOf(this.name) + 1) % NAMES.length]!
    localKeep.write(KEY, this.name)
  }
}
