import { countIn } from '../../number'
import type { ChatsMessages } from './en'

const count = (value: number) => countIn('zh', value)

export const zh = {
  title: '对话',
  show: '显示对话列表',
  hide: '隐藏对话列表',
  close: '关闭对话列表',

  search: '搜索对话',
  searching: '正在读取较早的对话…',
  none: '还没有对话。您提的问题会保存在这台设备上，直到您删除为止。',
  noneFound: (query: string) => `没有对话包含“${query}”。`,
  found: (chats: number) => `找到 ${count(chats)} 个对话`,
  untitled: '无标题',
  unsaved: '未保存',
  answering: '正在回答',

  more: (title: string) => `${title}：更多操作`,
  moreForAll: '所有对话：更多操作',
  rename: '重命名',
  newTitle: '新标题',
  exportJson: '导出为 JSON',
  exportMarkdown: '导出为 Markdown',
  delete: '删除',
  import: '导入…',
  exportAllJson: '全部导出为 JSON',
  exportAllMarkdown: '全部导出为 Markdown',
  deleteAll: '全部删除…',

  deleteAllTitle: '删除所有对话？',
  deleteAllText: (chats: number) =>
    `${count(chats)} 个对话及其图片将从这台设备上删除，无法恢复。想保留的请先导出。`,
  deleteAllAction: '永久删除',
  keepThem: '保留',

  deleted: (title: string) => `已删除“${title}”。`,
  undo: '撤销',
  restored: (title: string) => `已恢复“${title}”。`,
  allDeleted: '已删除所有对话。',
  renamed: (title: string) => `已更名为“${title}”。`,
  opened: (title: string) => `对话“${title}”`,

  imported: (chats: number) => `已导入 ${count(chats)} 个对话。`,
  importedNone: '文件中没有对话。',
  picturesLeftOut: (pictures: number) => `略去了 ${count(pictures)} 张损坏或缺失的图片。`,
  exported: (chats: number) => `已导出 ${count(chats)} 个对话。`,
  refusals: {
    tooLarge: (file: string) => `${file} 太大，不可能是导出的对话。`,
    notJson: (file: string) => `${file} 不是 JSON 文件，或不完整。`,
    otherFormat: (file: string) => `${file} 不是导出的对话。`,
    newer: (file: string) => `${file} 由此页面的更新版本导出。请重新加载页面后再试。`,
    damaged: (file: string, where: string) => `${file} 已损坏，未导入任何内容。${where}`,
  },

  markdown: { you: '您', untitled: '无标题', locale: 'zh-CN' },

  problems: {
    refused: '浏览器不为此页面保存对话，例如在隐私窗口中。它们会保留到页面关闭为止；想保留的请导出。',
    full: '浏览器的存储空间已满，此对话的最新部分没有保存。请删除一些对话，或导出此对话。',
    blocked: '另一个标签页仍打开着此页面的旧版本。关闭它之后，您的对话就会回来。',
    closed: '另一个标签页打开了此页面的新版本。请重新加载此页面，否则这里不会再保存任何内容。',
  },
  forked: '另一个标签页在此期间更改或删除了此对话。这里的内容已另存为一个对话。',
  removedElsewhere: '此对话已在另一个标签页中删除。',
  answeredElsewhere: '另一个标签页正在写这个回答。',
  answeringElsewhere: (title: string) => `正在“${title}”中写回答。`,
  showAnswering: '显示',
} satisfies ChatsMessages
