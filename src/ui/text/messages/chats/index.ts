import type { Language } from '..'
import { de } from './de'
import { en, type ChatsMessages } from './en'
import { es } from './es'
import { fr } from './fr'
import { zh } from './zh'

export type { ChatsMessages }

const MESSAGES: Record<Language, ChatsMessages> = { en, de, fr, es, zh }

export const chatsMessagesOf = (language: Language): ChatsMessages => MESSAGES[language]
