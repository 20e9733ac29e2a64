import { de } from './de'
import { en, type Messages } from './en'
import { es } from './es'
import { fr } from './fr'
import type { DeepPartial } from './overrides'
import { zh } from './zh'

export type { Messages }
/** A page's own words, in place of some of a language's. */
export type MessageOverrides = DeepPartial<Messages>

/** The languages there are, each by its own name. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  zh: '简体中文',
} as const

export type Language = keyof typeof LANGUAGES

const MESSAGES: Record<Language, Messages> = { en, de, fr, es, zh }

export const messagesOf = (language: Language): Messages => MESSAGES[language]

/** The language of a BCP 47 tag, whatever its region and script; undefined where there is none of it. */
export function closestLanguage(tag: string): Language | undefined {
  const [primary = ''] = tag.trim().toLowerCase().split(/[-_]/)
  return Object.hasOwn(LANGUAGES, primary) ? (primary as Language) : undefined
}
