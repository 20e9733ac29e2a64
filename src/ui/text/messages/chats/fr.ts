import { countIn } from '../../number'
import type { ChatsMessages } from './en'

const chats = (value: number) => `${countIn('fr', value)} ${value < 2 ? 'discussion' : 'discussions'}`

export const fr = {
  title: 'Discussions',
  show: 'Afficher les discussions',
  hide: 'Masquer les discussions',
  close: 'Fermer les discussions',

  search: 'Chercher dans les discussions',
  searching: 'Lecture des discussions plus anciennes…',
  none: 'Aucune discussion. Ce que vous demandez est gardé ici, sur cet appareil, jusqu’à ce que vous le supprimiez.',
  noneFound: (query: string) => `Aucune discussion ne contient « ${query} ».`,
  found: (count: number) => `${chats(count)} ${count < 2 ? 'trouvée' : 'trouvées'}`,
  untitled: 'Sans titre',
  unsaved: 'non gardée',
  answering: 'réponse en cours',

  more: (title: string) => `Plus pour ${title}`,
  moreForAll: 'Plus pour toutes les discussions',
  rename: 'Renommer',
  newTitle: 'Nouveau titre',
  exportJson: 'Exporter en JSON',
  exportMarkdown: 'Exporter en Markdown',
  delete: 'Supprimer',
  import: 'Importer…',
  exportAllJson: 'Tout exporter en JSON',
  exportAllMarkdown: 'Tout exporter en Markdown',
  deleteAll: 'Tout supprimer…',

  deleteAllTitle: 'Supprimer toutes les discussions ?',
  deleteAllText: (count: number) =>
    `${chats(count)} et leurs images seront effacées de cet appareil, sans retour possible. Exportez d’abord ce que vous voulez garder.`,
  deleteAllAction: 'Supprimer pour de bon',
  keepThem: 'Les garder',

  deleted: (title: string) => `« ${title} » est supprimée.`,
  undo: 'Annuler',
  restored: (title: string) => `« ${title} » est de retour.`,
  allDeleted: 'Toutes les discussions sont supprimées.',
  renamed: (title: string) => `S’appelle maintenant « ${title} ».`,
  opened: (title: string) => `Discussion « ${title} »`,

  imported: (count: number) => `${chats(count)} ${count < 2 ? 'importée' : 'importées'}.`,
  importedNone: 'Le fichier ne contient aucune discussion.',
  picturesLeftOut: (count: number) =>
    count < 2
      ? `${countIn('fr', count)} image laissée de côté : abîmée ou absente.`
      : `${countIn('fr', count)} images laissées de côté : abîmées ou absentes.`,
  exported: (count: number) => `${chats(count)} ${count < 2 ? 'exportée' : 'exportées'}.`,
  refusals: {
    tooLarge: (file: string) => `${file} est trop gros pour un export de discussions.`,
    notJson: (file: string) => `${file} n’est pas un fichier JSON, ou sa fin manque.`,
    otherFormat: (file: string) => `${file} n’est pas un export de discussions.`,
    newer: (file: string) =>
      `${file} vient d’une version plus récente de cette page. Rechargez la page et réessayez.`,
    damaged: (file: string, where: string) => `${file} est abîmé ; rien n’en a été importé. ${where}`,
  },

  markdown: { you: 'Vous', untitled: 'Sans titre', locale: 'fr' },

  problems: {
    refused:
      'Le navigateur ne garde pas de discussions pour cette page, comme en navigation privée. Elles restent jusqu’à la fermeture de la page ; exportez celles que vous voulez garder.',
    full: 'L’espace de stockage du navigateur est plein : la fin de cette discussion n’est pas gardée. Supprimez des discussions ou exportez celle-ci.',
    blocked:
      'Un autre onglet a encore une version plus ancienne de cette page. Fermez-le et vos discussions seront de retour.',
    closed:
      'Une version plus récente de cette page est ouverte dans un autre onglet. Rechargez cette page, sinon plus rien n’y est gardé.',
  },
  forked:
    'Un autre onglet a modifié ou supprimé cette discussion entre-temps. Ce qui a été dit ici est gardé comme une discussion à part.',
  removedElsewhere: 'Cette discussion a été supprimée dans un autre onglet.',
  answeredElsewhere: 'Un autre onglet écrit cette réponse.',
  answeringElsewhere: (title: string) => `Une réponse est en cours dans « ${title} ».`,
  showAnswering: 'L’afficher',
} satisfies ChatsMessages
