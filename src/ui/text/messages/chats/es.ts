import { countIn } from '../../number'
import type { ChatsMessages } from './en'

const chats = (value: number) => `${countIn('es', value)} ${value === 1 ? 'chat' : 'chats'}`

export const es = {
  title: 'Sus chats',
  show: 'Mostrar los chats',
  hide: 'Ocultar los chats',
  close: 'Cerrar los chats',

  search: 'Buscar en los chats',
  searching: 'Leyendo chats más antiguos…',
  none: 'Aún no hay chats. Lo que pregunte se guarda aquí, en este dispositivo, hasta que lo elimine.',
  noneFound: (query: string) => `Ningún chat contiene «${query}».`,
  found: (count: number) => `${chats(count)} ${count === 1 ? 'encontrado' : 'encontrados'}`,
  untitled: 'Sin título',
  unsaved: 'sin guardar',
  answering: 'respondiendo',

  more: (title: string) => `Más para ${title}`,
  moreForAll: 'Más para todos los chats',
  rename: 'Cambiar el título',
  newTitle: 'Título nuevo',
  exportJson: 'Exportar como JSON',
  exportMarkdown: 'Exportar como Markdown',
  delete: 'Eliminar',
  import: 'Importar…',
  exportAllJson: 'Exportar todo como JSON',
  exportAllMarkdown: 'Exportar todo como Markdown',
  deleteAll: 'Eliminar todo…',

  deleteAllTitle: '¿Eliminar todos los chats?',
  deleteAllText: (count: number) =>
    `${chats(count)} y sus imágenes se borrarán de este dispositivo. Nada los recupera. Exporte antes lo que quiera conservar.`,
  deleteAllAction: 'Eliminar para siempre',
  keepThem: 'Conservarlos',

  deleted: (title: string) => `«${title}» se ha eliminado.`,
  undo: 'Deshacer',
  restored: (title: string) => `«${title}» está de vuelta.`,
  allDeleted: 'Se han eliminado todos los chats.',
  renamed: (title: string) => `Ahora se llama «${title}».`,
  opened: (title: string) => `Chat «${title}»`,

  imported: (count: number) => `${chats(count)} ${count === 1 ? 'importado' : 'importados'}.`,
  importedNone: 'El archivo no contiene chats.',
  picturesLeftOut: (count: number) =>
    count === 1
      ? `${countIn('es', count)} imagen omitida: está dañada o falta.`
      : `${countIn('es', count)} imágenes omitidas: están dañadas o faltan.`,
  exported: (count: number) => `${chats(count)} ${count === 1 ? 'exportado' : 'exportados'}.`,
  refusals: {
    tooLarge: (file: string) => `${file} es demasiado grande para ser una exportación de chats.`,
    notJson: (file: string) => `${file} no es un archivo JSON o está incompleto.`,
    otherFormat: (file: string) => `${file} no es una exportación de chats.`,
    newer: (file: string) =>
      `${file} procede de una versión más reciente de esta página. Recargue la página e inténtelo de nuevo.`,
    damaged: (file: string, where: string) => `${file} está dañado; no se ha importado nada. ${where}`,
  },

  markdown: { you: 'Usted', untitled: 'Sin título', locale: 'es' },

  problems: {
    refused:
      'El navegador no guarda chats para esta página, como en una ventana privada. Permanecen hasta que se cierre la página; exporte los que quiera conservar.',
    full: 'El almacenamiento del navegador está lleno y lo último de este chat no se guarda. Elimine chats o exporte este.',
    blocked:
      'Otra pestaña tiene aún una versión anterior de esta página. Ciérrela y sus chats estarán aquí de nuevo.',
    closed:
      'Una versión más reciente de esta página está abierta en otra pestaña. Recargue esta página; si no, aquí no se guardará nada más.',
  },
  forked:
    'Otra pestaña ha cambiado o eliminado este chat entretanto. Lo que se dijo aquí se guarda como un chat aparte.',
  removedElsewhere: 'Este chat se eliminó en otra pestaña.',
  answeredElsewhere: 'Otra pestaña está escribiendo esta respuesta.',
  answeringElsewhere: (title: string) => `Se está escribiendo una respuesta en «${title}».`,
  showAnswering: 'Mostrarla',
} satisfies ChatsMessages
