import { countIn } from '../../number'
import type { Messages } from '../en'

const count = (value: number) => countIn('fr', value)

export const models = {
  title: 'Modèles',
  intro: 'Un seul modèle est chargé à la fois. Votre discussion reste quand vous en changez.',
  list: 'Prêts à choisir',
  loaded: 'Chargé',
  review: 'Vérifier et charger',

  facts: {
    noOtherDownload: (size: string) => `${size}, aucun autre téléchargement`,
    download: (size: string) => `${size} à télécharger`,
    downloadUnknown: 'téléchargement\u00a0: indiqué avant qu’il commence',
    parameters: (amount: string) => `${amount} de paramètres`,
    licence: (name: string) => `licence\u00a0: ${name}`,
    gpu: (weights: string, cache: string) =>
      `GPU, poids seuls\u00a0: ${weights}\u00a0; ${cache} pour 4\u00a0096 tokens de contexte`,
    gpuByTowers: (q4GB: number, f16GB: number) =>
      `GPU\u00a0: environ ${q4GB} Go en q4, un encodeur à la fois\u00a0; ${f16GB} Go en f16`,
  },

  sources: {
    title: 'Un autre checkpoint',
    address: 'Dépôt Hugging Face, ou adresse d’un dossier',
    placeholder: 'owner/name ou https://…',
    lookUp: 'Rechercher',
    folder: 'Dossier local',
    folderHint: 'Un dossier de cet appareil, avec config.json, tokenizer.json et *.safetensors',
    chooseFolder: 'Choisir un dossier',
    unnamedFolder: 'dossier local',
    noConfig:
      'Ce dossier ne contient pas de config.json. Choisissez celui qui contient config.json et *.safetensors.',
    noWeights:
      'Ce dossier contient un config.json, mais pas de poids. Des fichiers *.safetensors devraient s’y trouver.',
  },

  address: {
    empty: 'Saisissez un dépôt comme llava-hf/llava-1.5-7b-hf, ou une adresse.',
    neither: 'Ce n’est ni owner/name ni une adresse commençant par https://.',
    noModel:
      'Cette adresse ne désigne aucun modèle\u00a0; elle devrait ressembler à https://huggingface.co/owner/name.',
    notOfModel: 'Ce n’est pas l’adresse d’un modèle.',
    malformed: (text: string) => `${text} n’est pas une adresse. Elle devrait commencer par https://.`,
    insecure: 'Seules les adresses https conviennent, ou http sur localhost.',
    mixed:
      'Cette page est venue en https\u00a0: les navigateurs ne la laissent interroger que des serveurs en https, ou sur localhost.',
  },

  server: {
    title: 'Un modèle sur un serveur',
    about:
      'Pour un modèle trop grand pour cet appareil. vLLM, SGLang, llama.cpp, transformers serve et d’autres qui parlent le protocole chat completions d’OpenAI peuvent répondre à sa place.',
    address: 'Adresse du serveur',
    key: 'Clé d’API, si le serveur en demande une',
    keyHint: 'Gardée jusqu’à la fermeture de cette page, jamais enregistrée, et envoyée à ce seul serveur.',
    model: 'Modèle',
    choose: 'Choisir l’un de ses modèles',
    asking: 'Le serveur est interrogé sur ses modèles…',
    notListed: 'Ce serveur ne donne pas la liste de ses modèles. Tapez le nom qu’il connaît.',
    sends: (host: string) =>
      `Vos images et questions sont envoyées à ${host}, qui y répond. Qui l’exploite peut les lire.`,
    open: (host: string) =>
      `Le chemin vers ${host} n’est pas chiffré\u00a0: d’autres sur le réseau peuvent lire.`,
    cannot: 'Où il regarde, les profils et l’entraînement demandent un modèle sur cet appareil.',
    start: 'Utiliser ce modèle',
  },

  stored: {
    title: 'Sur cet appareil',
    room: (used, most) => `Ce site stocke ${used}\u00a0; le navigateur l’autorise à stocker ${most}.`,
    persistent: 'Le navigateur les garde jusqu’à ce que vous les retiriez.',
    mayGo: 'Le navigateur peut les effacer quand le disque se remplit.',
    persist: 'Lui demander de les garder',
    unfinished: (done, total) => `${done} sur ${total}, le reste est téléchargé au prochain chargement`,
    lastUsed: (day) => `utilisé le ${day}`,
    verify: 'Vérifier',
    verifying: (done, total) => `Vérification\u00a0: ${done} sur ${total}`,
    sound: 'Chaque fichier est tel que son origine le déclare.',
    damaged: (files) => `Endommagés et retirés, téléchargés à nouveau au prochain chargement\u00a0: ${files}`,
    remove: 'Retirer',
    removeSure: (name) => `Retirer ${name} de cet appareil\u00a0?`,
    keep: 'Garder',
  },

  options: {
    weights: 'Poids sur le GPU',
    context: 'Contexte, tokens',
    memory: 'Mémoire GPU, Go',
    automatic: 'Automatique',
    memoryHint:
      'Le maximum qu’il peut occuper. Les encodeurs visuels qui n’y tiennent pas sont rechargés pour chaque question avec de nouvelles images.',
    dtypes: {
      auto: '16 bits comme publié\u00a0; moins seulement si la place manque',
      f16: '16 bits, comme publié',
      q8: '8 bits\u00a0: environ la moitié de la mémoire, presque sans perte',
      q4: '4 bits\u00a0: environ un tiers de la mémoire, une certaine perte',
      f32: '32 bits\u00a0: le double de mémoire, pour comparer',
    },
    about: (dtype: string) =>
      `${dtype}. Contexte\u00a0: en automatique, c’est la limite du modèle, 4\u00a0096 au plus\u00a0; les longues discussions en demandent ` +
      'davantage, et plus de mémoire.',
    source: 'Options de la source',
    token: 'Jeton d’accès, pour les modèles privés ou à accès restreint',
    tokenHint:
      'Gardé jusqu’à la fermeture de cette page, jamais enregistré, et envoyé au seul hôte ci-dessous.',
    hub: 'Adresse du hub',
  },

  plan: {
    reading: 'Lecture de sa configuration…',
    architecture: 'Architecture',
    model: (architecture: string, parameters: string, dtype: string) =>
      `${architecture}, ${parameters} de paramètres, en ${dtype}`,
    reads: 'Lit',
    downloads: 'Télécharge',
    files: (size: string, files: number) =>
      `${size} en ${count(files)} ${files < 2 ? 'fichier' : 'fichiers'}`,
    context: 'Contexte',
    contextWithPictures: (tokens: number, ofPicture: number) =>
      `${count(tokens)} tokens, ${count(ofPicture)} par image`,
    contextOfText: (tokens: number) => `${count(tokens)} tokens\u00a0; il n’accepte pas d’images`,
    memory: 'Mémoire GPU',
    about: (size: string) => `environ ${size}`,
    parts: {
      vision: 'Encodage des images',
      connector: 'Connecteur',
      language: 'Modèle de langage',
      kvCache: 'Contexte (cache KV)',
      activations: 'Mémoire de travail',
    },
    towers: 'Encodeurs visuels',
    tower: 'Encodeur',
    parameters: 'Paramètres',
    resident: 'Reste sur le GPU',
    stays: 'reste',
    fetched: 'rechargé',
    allFetched: (size: string, isLocal: boolean) =>
      `Les encodeurs ne tiennent pas à côté du reste\u00a0: ${fetching(size, isLocal)}`,
    someFetched: (towers: number, size: string, isLocal: boolean) =>
      `${towers === 1 ? '1 encodeur ne tient' : `${count(towers)} encodeurs ne tiennent`} pas à côté du reste\u00a0: ${fetching(size, isLocal)}`,
    tooLarge:
      'C’est plus que la capacité connue du GPU. Des poids plus petits ou un contexte plus court peuvent aider.',
    straight:
      'Les fichiers viennent directement de leur hôte dans ce navigateur. Rien n’y est envoyé, hormis les requêtes.',
    load: 'Charger',
    loadAnyway: 'Charger quand même',
    download: (size: string) => `Télécharger ${size} et charger`,
    downloadAnyway: (size: string) => `Télécharger ${size} et charger quand même`,
    answering: 'Une réponse est en cours. Arrêtez-la d’abord.',
  },

  load: {
    connecting: (host: string) => `Connexion à ${host}`,
    title: (model: string) => `Chargement de ${model}`,
    untitled: 'Chargement du modèle',
    cancelling: 'Annulation…',
    config: 'Configuration',
    weights: 'Poids',
    compile: 'Noyaux GPU',
    opening: 'Ouverture du GPU',
    reading: (file: string) => `Lecture de ${file}`,
    amount: (done: string, total: string) => `${done} sur ${total}`,
    kernel: (done: number, total: number) => `Noyau ${done} sur ${total}`,
    ready: 'Prêt',
    progress: 'Chargement',
    left: (time: string) => `temps restant\u00a0: ${time}`,
    file: (number: number, files: number, name: string, done: string, total: string) =>
      `Fichier ${number} sur ${files}\u00a0: ${name}, ${done} sur ${total}`,
  },

  catalogue: {
    'llava-hf/llava-interleave-qwen-0.5b-hf': {
      about:
        'Un petit assistant généraliste, le meilleur premier choix pour des photos ordinaires. Accepte plusieurs images.',
      licence: 'Tongyi Qianwen, recherche uniquement',
    },
    'llava-hf/llava-1.5-7b-hf': {
      about:
        'Le classique. Décrit des scènes et lit les gros caractères\u00a0; demande un GPU de 8 Go ou plus, en q4.',
      licence: 'Llama 2 Community License',
    },
    'llava-hf/llava-1.5-13b-hf': {
      about:
        'Un peu plus rigoureux que le 7B, pour un téléchargement double\u00a0; pour les GPU de 16 Go ou plus.',
      licence: 'Llama 2 Community License',
    },
    'nyu-visionx/cambrian-phi3-3b': {
      about:
        'Regarde avec quatre encodeurs visuels à la fois et montre lequel lui apprend quoi. Les encodeurs se trouvent dans leurs propres dépôts.',
      licence: 'la sienne et celles des dépôts de ses encodeurs',
    },
    'nyu-visionx/cambrian-8b': {
      about: 'Les quatre mêmes encodeurs devant Llama 3 8B\u00a0: des réponses plus rigoureuses.',
      licence: 'Llama 3 Community License, et celles des dépôts de ses encodeurs',
    },
    'Qwen/Qwen2.5-0.5B-Instruct': {
      about:
        'Texte seul\u00a0: il ne voit pas d’images. Rapide à essayer, il suit bien les consignes courtes.',
      licence: 'Apache 2.0',
    },
  },

  bundled: {
    'trilobite-nano-cambrian': {
      about:
        'Fourni avec cette page\u00a0: un Cambrian-1 en miniature, à deux encodeurs visuels, qui montre où il regarde. Connaît les dessins de formes colorées, dix sortes de petites photos et les chiffres isolés\u00a0; devant toute autre chose il répond quand même, et se trompe le plus souvent.',
    },
    'trilobite-nano-llava': {
      about:
        'Également fourni avec cette page\u00a0: un LLaVA en miniature, à un seul encodeur, du même petit monde. Moitié moins gros, et jusqu’ici un peu plus souvent juste sur les dessins et les photos.',
    },
    'trilobite-nano-stage1': {
      about:
        'Pour l’entraînement, pas pour discuter\u00a0: trilobite-nano-llava juste avant l’étape 1. Son encodeur connaît les images et son modèle de langage les mots, mais le projecteur entre eux est aléatoire\u00a0: il répond n’importe quoi tant qu’il n’a pas été entraîné.',
    },
  },
} satisfies Messages['models']

function fetching(size: string, isLocal: boolean): string {
  const how = isLocal ? 'sont lus' : 'viennent du cache du navigateur ou de l’hôte'
  return (
    `${size} ${how} pour chaque question avec de nouvelles images, un encodeur à la fois. ` +
    'Plus de mémoire GPU dans les options permet d’en garder davantage.'
  )
}
