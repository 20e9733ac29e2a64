import { countIn } from '../number'
import type { Messages } from './en'
import { models } from './models/fr'
import { problems } from './problems/fr'

const count = (value: number) => countIn('fr', value)
// In French zero and one are both singular.
const tokens = (value: number) => `${count(value)} ${value < 2 ? 'token' : 'tokens'}`

export const fr = {
  locale: 'fr',

  units: {
    byte: 'o',
    perSecond: (amount: string) => `${amount}/s`,
    tokensPerSecond: (rate: string) => `${rate} tokens/s`,
    milliseconds: (milliseconds: number) => `${milliseconds} ms`,
    seconds: (seconds: string) => `${seconds} s`,
    minutes: (minutes: number) => `${minutes} min`,
    minutesAndSeconds: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
    hours: (hours: number) => `${hours} h`,
    hoursAndMinutes: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    fewSeconds: 'quelques secondes',
    unknownTime: 'inconnu',
  },

  components: {
    copy: 'Copier',
    copied: 'Copié',
    copyRefused: 'Le navigateur a refusé la copie',
    cancel: 'Annuler',
    close: 'Fermer',
    dismiss: 'Masquer',
    details: 'Détails',
    pictures: 'Images',
    enlarge: (picture: string) => `Agrandir ${picture}`,
    remove: (picture: string) => `Retirer ${picture}`,
    closePicture: 'Fermer l’image',
  },

  remedies: {
    'reload-model': 'Recharger le modèle',
    'choose-model': 'Choisir un modèle',
    'use-server': 'Utiliser un modèle sur un serveur',
    retry: 'Réessayer',
    'new-chat': 'Nouvelle discussion',
    'reload-page': 'Recharger la page',
  },

  announcements: {
    newChat: 'Nouvelle discussion',
    modelReady: 'Modèle prêt',
    loading: (percent: number) => `Chargement, ${percent} pour cent`,
    generating: 'Réponse en cours',
    answerStopped: 'Réponse arrêtée',
    answerComplete: 'Réponse terminée',
    answerCutShort: 'Réponse interrompue',
    noAnswer: (problem: string) => `Pas de réponse. ${problem}`,
  },

  chat: {
    title: 'Discussion',
    conversation: 'Fil de la discussion',
    toEnd: 'Aller à la fin',
    dropPictures: 'Déposez des images pour les ajouter',
    modelState: (dtype: string, contextTokens: number) =>
      `${dtype} · ${count(contextTokens)} tokens de contexte`,
    mistakes: 'Les modèles se trompent. Vérifiez ce qui compte.',
    answersFrom: (host: string) => `Les réponses viennent de ${host}. Images et questions y sont envoyées.`,
    keys: 'Entrée envoie, Maj+Entrée va à la ligne',
    notLoaded: 'Le modèle n’est pas chargé. Votre discussion est conservée.',
    choose: 'Choisir',
    load: (model: string) => `Charger ${model}`,
  },

  recovery: {
    title: 'La connexion au GPU a été perdue.',
    advice: 'Le modèle se recharge. Ce qui était en cours continue ensuite tout seul.',
    attempt: (attempt: number, attempts: number) => `Tentative ${attempt} sur ${attempts}`,
    stop: 'Arrêter le chargement',
  },

  composer: {
    probing: 'Test du GPU…',
    unfit: 'Aucun GPU utilisable\u00a0; voir ci-dessus.',
    loading: 'Le modèle se charge…',
    lost: 'Rechargez le modèle.',
    recovering: 'Le modèle revient…',
    idle: 'Chargez d’abord un modèle.',
    addPictures: 'Ajouter des images',
    takesNoPictures: 'Ce modèle n’accepte pas d’images',
    question: 'Votre question',
    askAboutPicture: 'Question sur une image',
    ask: 'Votre question',
    send: 'Envoyer',
    stop: 'Arrêter la réponse',
  },

  question: {
    you: 'Vous',
    copy: 'Copier la question',
    edit: 'Modifier la question',
    field: 'Modifier votre question',
    askAgain: 'Redemander',
    replaces: 'Ce qui suivait cette question sera remplacé.',
  },

  answer: {
    waiting: 'En attente',
    progress: 'Progression',
    copy: 'Copier la réponse',
    regenerate: 'Régénérer la réponse',
    notLookable:
      'Seule la réponse la plus récente peut être examinée, tant que son modèle reste chargé\u00a0: le moteur n’en garde ' +
      'qu’une à la fois. «\u00a0Régénérer la réponse\u00a0» repose cette question.',
    notLookableThere: (host: string) =>
      `Où il regarde ne peut être montré\u00a0: ${host} répond, et ne le dit pas. Chargez un modèle sur cet appareil pour le voir.`,
    code: 'code source',
    copyCode: 'Copier le code',
    withheld: (picture: string) => `[image non chargée\u00a0: ${picture}]`,
  },

  endings: {
    aborted: 'Arrêtée.',
    length:
      'Coupée à la longueur maximale. Augmentez-la dans les réglages pour permettre des réponses plus longues.',
    context:
      'Le contexte est plein. Commencez une nouvelle discussion ou chargez le modèle avec un contexte plus long.',
    lost: 'Interrompue\u00a0: le moteur a été perdu. Une fois le modèle revenu, «\u00a0Régénérer la réponse\u00a0» repose la question.',
    interrupted: 'La page a été fermée avant la fin de cette réponse.',
  },

  activity: {
    readingQuestion: 'Lecture de la question',
    lookingAtPicture: 'Examen de l’image',
    lookingAtPictures: (pictures: number) => `Examen de ${pictures} images`,
    loadingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Chargement de l’encodeur visuel ${tower} sur ${towers}, ${name}\u00a0: ${percent}`,
    fetchingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Téléchargement de l’encodeur visuel ${tower} sur ${towers}, ${name}\u00a0: ${percent}`,
    readingTokens: (promptTokens: number) => `Lecture de ${tokens(promptTokens)}`,
  },

  stats: {
    tokens,
    firstAfter: (duration: string) => `premier après ${duration}`,
    reused: (reusedTokens: number) =>
      `${count(reusedTokens)} ${reusedTokens < 2 ? 'réutilisé' : 'réutilisés'}`,
    prompt: (promptTokens: number, imageTokens: number, reusedTokens: number) =>
      `prompt de ${tokens(promptTokens)}, dont ${count(imageTokens)} pour les images et ` +
      `${count(reusedTokens)} repris des tours précédents`,
    greedy: 'glouton (greedy)',
    sampling: (temperature: string, topP: string, topK: string, seed: string) =>
      `température ${temperature}, top-p ${topP}, top-k ${topK}, graine ${seed}`,
  },

  pictures: {
    pasted: (number: number) => `Image ${number}`,
    empty: (name: string) => `${name} est vide. Choisissez une autre image.`,
    tooLarge: (name: string) => `${name} dépasse 50 Mo. Enregistrez une version plus légère et réessayez.`,
    noPicture: (name: string) =>
      `${name} n’est pas une image PNG, JPEG, WebP ou GIF. Convertissez le fichier et réessayez.`,
    undecodable: (name: string) =>
      `${name} ne peut pas être décodé, le fichier est peut-être endommagé. Ouvrez-le et enregistrez-le à nouveau, ou ` +
      'choisissez-en un autre.',
  },

  settings: {
    title: 'Réglages',
    close: 'Fermer les réglages',
    temperature: 'Température',
    temperatureHint:
      '0 prend toujours le mot le plus probable\u00a0; au-delà, les réponses varient davantage.',
    sampling: 'Échantillonnage',
    samplingOff: 'Sert quand la température dépasse 0',
    topP: 'Top-p',
    topPHint: 'Garde les mots les plus probables qui atteignent ensemble cette part.',
    topK: 'Top-k',
    topKHint: 'Garde ce nombre de mots parmi les plus probables\u00a0; 0 les garde tous.',
    newSeed: 'Une nouvelle graine à chaque réponse',
    seed: 'Graine',
    repetitionPenalty: 'Pénalité de répétition',
    repetitionPenaltyHint: '1 la désactive.',
    longestAnswer: 'Réponse la plus longue, tokens',
    systemPrompt: 'Prompt système',
    systemPromptHint: 'Placé avant la discussion. Certains modèles l’ignorent ou le refusent.',
    profile: 'Profiler les réponses',
    profileHint:
      'Montre sous chaque réponse où le temps est passé, noyau par noyau. Les réponses prennent alors plus de temps.',
    noProfile: 'Pas pour un modèle sur un serveur, qui ne le dit pas.',
    reset: 'Rétablir les valeurs par défaut',
  },

  keys: {
    title: 'Raccourcis clavier',
    enter: 'Entrée',
    shift: 'Maj',
    control: 'Ctrl',
    escape: 'Échap',
    send: 'envoyer',
    newLine: 'aller à la ligne',
    stop: 'arrêter la réponse',
    newChat: 'nouvelle discussion',
    settings: 'ces réglages',
    question: 'aller au champ de question',
  },

  look: {
    title: 'Où il regarde',
    words: 'Mots',
    towers: 'Encodeurs',
    looking: 'Examen…',
    quoted: (word: string) => `«\u00a0${word}\u00a0»\u00a0:`,
    attention: (share: string, place: string) =>
      `${share} de l’attention porte sur l’image, surtout ${place}.`,
    attentionOfSeveral: (share: string, place: string, picture: number) =>
      `${share} de l’attention porte sur les images, surtout ${place} de l’image ${picture}.`,
    places: {
      top: { left: 'en haut à gauche', centre: 'en haut au centre', right: 'en haut à droite' },
      middle: { left: 'au milieu à gauche', centre: 'au centre', right: 'au milieu à droite' },
      bottom: { left: 'en bas à gauche', centre: 'en bas au centre', right: 'en bas à droite' },
    },
    inOneCell: (share: string) => `${share} dans une cellule`,
    cut: 'Les bords assombris ont été coupés avant que le modèle ne voie l’image.',
    chooseWord: 'Choisissez un mot de la réponse ci-dessous.',
    averaged:
      'Moyenne sur toutes les couches et têtes\u00a0: ce sur quoi le modèle s’est appuyé, non pourquoi.',
    pictureGroup: 'Choix de l’image',
    picture: (number: number) => `Image ${number}`,
    pictureShare: (number: number, share: string) => `Image ${number}\u00a0: ${share}`,
    cells: 'Cellules de l’image. Les flèches vont de cellule en cellule.',
    wholeShares: 'Parts pour l’image entière. Pointez une cellule pour voir les siennes.',
    cellShares: (row: number, column: number) => `Parts à la ligne ${row}, colonne ${column}.`,
    cell: (row: number, column: number, shares: string) => `Ligne ${row}, colonne ${column}\u00a0: ${shares}`,
    colours: 'Ce que montrent les couleurs',
    allTowers: 'Tous les encodeurs',
  },

  profile: {
    title: 'Profil',
    copy: 'Copier en JSON',
    loadToFirstToken: 'Du chargement au premier token',
    firstToken: 'De la question au premier token',
    speed: 'Décodage',
    dispatchesPerToken: 'Dispatchs par token',
    encode: 'Encodage des images',
    prompt: 'Lecture du prompt',
    decode: 'Génération des tokens',
    times: (wall: string, kernels: string) => `${wall}, dont ${kernels} dans les noyaux`,
    kernel: 'Noyau',
    dispatches: 'Dispatchs',
    milliseconds: 'ms',
    share: 'Part',
    rate: 'GFLOP/s',
    timestamps:
      'D’après l’horloge du GPU, chaque dispatch dans sa propre passe, ce qui prend aussi du temps.',
    waits:
      'Ce navigateur ne donne pas les temps du GPU\u00a0: chaque dispatch a été refait et attendu. Comparez les parts, non les sommes.',
  },

  element: {
    greeting: 'Posez une question sur une image',
    back: 'Retour à la discussion',
    start: 'Démarrer',
    fetchesAmount: (size: string, host: string) =>
      `Il fonctionne sur cet appareil\u00a0: images et questions restent ici. Le démarrer, ou poser une question, télécharge ${size} depuis ${host}.`,
    fetchesFiles: (host: string) =>
      `Il fonctionne sur cet appareil\u00a0: images et questions restent ici. Le démarrer, ou poser une question, télécharge ses fichiers depuis ${host}.`,
  },

  models,
  problems,
} satisfies Messages
