import { countIn } from '../../number'
import type { ChatsMessages } from './en'

const chats = (value: number) => `${countIn('de', value)} ${value === 1 ? 'Chat' : 'Chats'}`
const pictures = (value: number) => `${countIn('de', value)} ${value === 1 ? 'Bild' : 'Bilder'}`

export const de = {
  title: 'Ihre Chats',
  show: 'Chats zeigen',
  hide: 'Chats ausblenden',
  close: 'Chats schließen',

  search: 'Chats durchsuchen',
  searching: 'Ältere Chats werden noch gelesen …',
  none: 'Noch keine Chats. Was Sie fragen, bleibt hier auf diesem Gerät, bis Sie es löschen.',
  noneFound: (query: string) => `Kein Chat enthält „${query}“.`,
  found: (count: number) => `${chats(count)} gefunden`,
  untitled: 'Ohne Titel',
  unsaved: 'nicht gespeichert',
  answering: 'wird beantwortet',

  more: (title: string) => `Mehr zu ${title}`,
  moreForAll: 'Mehr zu allen Chats',
  rename: 'Umbenennen',
  newTitle: 'Neuer Titel',
  exportJson: 'Als JSON exportieren',
  exportMarkdown: 'Als Markdown exportieren',
  delete: 'Löschen',
  import: 'Importieren …',
  exportAllJson: 'Alle als JSON exportieren',
  exportAllMarkdown: 'Alle als Markdown exportieren',
  deleteAll: 'Alle löschen …',

  deleteAllTitle: 'Alle Chats löschen?',
  deleteAllText: (count: number) =>
    `${chats(count)} samt Bildern werden von diesem Gerät entfernt. Nichts bringt sie zurück. Exportieren Sie vorher, was Sie behalten wollen.`,
  deleteAllAction: 'Endgültig löschen',
  keepThem: 'Behalten',

  deleted: (title: string) => `„${title}“ ist gelöscht.`,
  undo: 'Rückgängig',
  restored: (title: string) => `„${title}“ ist wieder da.`,
  allDeleted: 'Alle Chats sind gelöscht.',
  renamed: (title: string) => `Heißt jetzt „${title}“.`,
  opened: (title: string) => `Chat „${title}“`,

  imported: (count: number) => `${chats(count)} importiert.`,
  importedNone: 'Die Datei enthält keine Chats.',
  picturesLeftOut: (count: number) => `${pictures(count)} ausgelassen: beschädigt oder nicht vorhanden.`,
  exported: (count: number) => `${chats(count)} exportiert.`,
  refusals: {
    tooLarge: (file: string) => `${file} ist zu groß für einen Export von Chats.`,
    notJson: (file: string) => `${file} ist keine JSON-Datei, oder sie endet zu früh.`,
    otherFormat: (file: string) => `${file} ist kein Export von Chats.`,
    newer: (file: string) =>
      `${file} stammt von einer neueren Version dieser Seite. Laden Sie die Seite neu und versuchen Sie es noch einmal.`,
    damaged: (file: string, where: string) =>
      `${file} ist beschädigt; nichts davon wurde importiert. ${where}`,
  },

  markdown: { you: 'Sie', untitled: 'Ohne Titel', locale: 'de' },

  problems: {
    refused:
      'Der Browser speichert für diese Seite keine Chats, etwa in einem privaten Fenster. Sie bleiben, bis die Seite geschlossen wird; exportieren Sie, was Sie behalten wollen.',
    full: 'Der Speicher des Browsers ist voll; das Neueste dieses Chats ist nicht gespeichert. Löschen Sie Chats oder exportieren Sie diesen.',
    blocked:
      'In einem anderen Tab ist noch eine ältere Version dieser Seite offen. Schließen Sie ihn, dann sind Ihre Chats wieder da.',
    closed:
      'In einem anderen Tab ist eine neuere Version dieser Seite offen. Laden Sie diese Seite neu, sonst wird hier nichts mehr gespeichert.',
  },
  forked:
    'Ein anderer Tab hat diesen Chat inzwischen geändert oder gelöscht. Was hier gesagt wurde, bleibt als eigener Chat erhalten.',
  removedElsewhere: 'Dieser Chat wurde in einem anderen Tab gelöscht.',
  answeredElsewhere: 'Diese Antwort schreibt gerade ein anderer Tab.',
  answeringElsewhere: (title: string) => `In „${title}“ wird eine Antwort geschrieben.`,
  showAnswering: 'Zeigen',
} satisfies ChatsMessages
