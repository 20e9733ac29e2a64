import { countIn } from '../../number'

const chats = (value: number) => `${countIn('en', value)} ${value === 1 ? 'chat' : 'chats'}`
const pictures = (value: number) => `${countIn('en', value)} ${value === 1 ? 'picture' : 'pictures'}`

/** Words of the list of chats. The page alone has it, so that elements carry none of them. */
export const en = {
  title: 'Chats',
  show: 'Show chats',
  hide: 'Hide chats',
  close: 'Close chats',

  search: 'Search chats',
  searching: 'Still reading older chats…',
  none: 'No chats yet. What you ask is kept here, on this device, until you delete it.',
  noneFound: (query: string) => `No chat has “${query}”.`,
  found: (count: number) => `${chats(count)} found`,
  untitled: 'Untitled',
  unsaved: 'not kept',
  answering: 'being answered',

  more: (title: string) => `More for ${title}`,
  moreForAll: 'More for all chats',
  rename: 'Rename',
  newTitle: 'New title',
  exportJson: 'Export as JSON',
  exportMarkdown: 'Export as Markdown',
  delete: 'Delete',
  import: 'Import…',
  exportAllJson: 'Export all as JSON',
  exportAllMarkdown: 'Export all as Markdown',
  deleteAll: 'Delete all…',

  deleteAllTitle: 'Delete all chats?',
  deleteAllText: (count: number) =>
    `${chats(count)} and their pictures are removed from this device. Nothing brings them back. Export them first to keep them.`,
  deleteAllAction: 'Delete for good',
  keepThem: 'Keep them',

  deleted: (title: string) => `“${title}” is deleted.`,
  undo: 'Undo',
  restored: (title: string) => `“${title}” is back.`,
  allDeleted: 'All chats are deleted.',
  renamed: (title: string) => `Now called “${title}”.`,
  opened: (title: string) => `Chat “${title}”`,

  imported: (count: number) => `${chats(count)} imported.`,
  importedNone: 'The file holds no chats.',
  picturesLeftOut: (count: number) => `${pictures(count)} left out, being damaged or missing.`,
  exported: (count: number) => `${chats(count)} exported.`,
  refusals: {
    tooLarge: (file: string) => `${file} is too large to be an export of chats.`,
    notJson: (file: string) => `${file} is not a JSON file, or it ends early.`,
    otherFormat: (file: string) => `${file} is not an export of chats.`,
    newer: (file: string) =>
      `${file} was exported by a newer version of this page. Reload the page and try again.`,
    damaged: (file: string, where: string) => `${file} is damaged; nothing of it was imported. ${where}`,
  },

  /** What stands in exports as Markdown. */
  markdown: { you: 'You', untitled: 'Untitled', locale: 'en' },

  problems: {
    refused:
      'The browser keeps no chats for this page, as in a private window. They stay until the page is closed; export those you want to keep.',
    full: 'The browser’s storage is full, so the newest part of this chat is not kept. Delete chats, or export this one.',
    blocked: 'Another tab still has an older version of this page. Close it, and your chats are here again.',
    closed:
      'A newer version of this page is open in another tab. Reload this page, else nothing more is kept here.',
  },
  forked:
    'Another tab has changed or deleted this chat meanwhile. What was said here is kept as a chat of its own.',
  removedElsewhere: 'This chat was deleted in another tab.',
  answeredElsewhere: 'Another tab is writing this answer.',
  answeringElsewhere: (title: string) => `An answer is being written in “${title}”.`,
  showAnswering: 'Show it',
}

export type ChatsMessages = typeof en
