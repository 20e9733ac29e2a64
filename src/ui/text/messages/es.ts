import { countIn } from '../number'
import type { Messages } from './en'
import { models } from './models/es'
import { problems } from './problems/es'

const count = (value: number) => countIn('es', value)
const tokens = (value: number) => `${count(value)} ${value === 1 ? 'token' : 'tokens'}`

export const es = {
  locale: 'es',

  units: {
    byte: 'B',
    perSecond: (amount: string) => `${amount}/s`,
    tokensPerSecond: (rate: string) => `${rate} tokens/s`,
    milliseconds: (milliseconds: number) => `${milliseconds} ms`,
    seconds: (seconds: string) => `${seconds} s`,
    minutes: (minutes: number) => `${minutes} min`,
    minutesAndSeconds: (minutes: number, seconds: number) => `${minutes} min ${seconds} s`,
    hours: (hours: number) => `${hours} h`,
    hoursAndMinutes: (hours: number, minutes: number) => `${hours} h ${minutes} min`,
    fewSeconds: 'unos segundos',
    unknownTime: 'desconocido',
  },

  components: {
    copy: 'Copiar',
    copied: 'Copiado',
    copyRefused: 'El navegador no permitió copiar',
    cancel: 'Cancelar',
    close: 'Cerrar',
    dismiss: 'Descartar',
    details: 'Detalles',
    pictures: 'Imágenes',
    enlarge: (picture: string) => `Ampliar ${picture}`,
    remove: (picture: string) => `Quitar ${picture}`,
    closePicture: 'Cerrar la imagen',
  },

  remedies: {
    'reload-model': 'Recargar el modelo',
    'choose-model': 'Elegir un modelo',
    'use-server': 'Usar un modelo en un servidor',
    retry: 'Reintentar',
    'new-chat': 'Nuevo chat',
    'reload-page': 'Recargar la página',
  },

  announcements: {
    newChat: 'Nuevo chat',
    modelReady: 'Modelo listo',
    loading: (percent: number) => `Cargando, ${percent} por ciento`,
    generating: 'Generando la respuesta',
    answerStopped: 'Respuesta detenida',
    answerComplete: 'Respuesta completa',
    answerCutShort: 'Respuesta interrumpida',
    noAnswer: (problem: string) => `Sin respuesta. ${problem}`,
  },

  chat: {
    title: 'Conversación',
    conversation: 'Historial de la conversación',
    toEnd: 'Ir al final',
    dropPictures: 'Suelte imágenes para añadirlas',
    modelState: (dtype: string, contextTokens: number) =>
      `${dtype} · ${count(contextTokens)} tokens de contexto`,
    mistakes: 'Los modelos se equivocan. Compruebe lo importante.',
    answersFrom: (host: string) =>
      `Las respuestas vienen de ${host}. Las imágenes y preguntas se envían allí.`,
    keys: 'Intro envía, Mayús+Intro salta de línea',
    notLoaded: 'El modelo no está cargado. El chat se conserva.',
    choose: 'Elegir',
    load: (model: string) => `Cargar ${model}`,
  },

  recovery: {
    title: 'Se perdió la conexión con la GPU.',
    advice: 'El modelo se está cargando de nuevo. Después, lo que estaba en curso continúa por sí solo.',
    attempt: (attempt: number, attempts: number) => `Intento ${attempt} de ${attempts}`,
    stop: 'Detener la carga',
  },

  composer: {
    probing: 'Probando la GPU…',
    unfit: 'No hay una GPU utilizable; véase arriba.',
    loading: 'El modelo se está cargando…',
    lost: 'Recargue el modelo.',
    recovering: 'El modelo está volviendo…',
    idle: 'Cargue primero un modelo.',
    addPictures: 'Añadir imágenes',
    takesNoPictures: 'Este modelo no admite imágenes',
    question: 'Su pregunta',
    askAboutPicture: 'Pregunta sobre una imagen',
    ask: 'Su pregunta',
    send: 'Enviar',
    stop: 'Detener la respuesta',
  },

  question: {
    you: 'Usted',
    copy: 'Copiar la pregunta',
    edit: 'Editar la pregunta',
    field: 'Editar su pregunta',
    askAgain: 'Volver a preguntar',
    replaces: 'Lo que seguía a esta pregunta se sustituirá.',
  },

  answer: {
    waiting: 'En espera',
    progress: 'Progreso',
    copy: 'Copiar la respuesta',
    regenerate: 'Regenerar la respuesta',
    notLookable:
      'Solo se puede examinar la respuesta más reciente, mientras su modelo siga cargado: el motor guarda una sola ' +
      'respuesta. «Regenerar la respuesta» vuelve a hacer esta pregunta.',
    notLookableThere: (host: string) =>
      `No se puede mostrar dónde mira: responde ${host}, que no lo indica. Cargue un modelo en este dispositivo para verlo.`,
    code: 'código',
    copyCode: 'Copiar el código',
    withheld: (picture: string) => `[imagen no cargada: ${picture}]`,
  },

  endings: {
    aborted: 'Detenida.',
    length: 'Cortada al llegar al límite. Auméntelo en los ajustes para permitir respuestas más largas.',
    context: 'El contexto está lleno. Inicie un nuevo chat o cargue el modelo con un contexto más largo.',
    lost: 'Interrumpida: se perdió el motor. Cuando el modelo vuelva, «Regenerar la respuesta» repite la pregunta.',
    interrupted: 'La página se cerró antes de que esta respuesta terminara.',
  },

  activity: {
    readingQuestion: 'Leyendo la pregunta',
    lookingAtPicture: 'Mirando la imagen',
    lookingAtPictures: (pictures: number) => `Mirando ${pictures} imágenes`,
    loadingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Cargando el codificador visual ${tower} de ${towers}, ${name}: ${percent}`,
    fetchingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Descargando el codificador visual ${tower} de ${towers}, ${name}: ${percent}`,
    readingTokens: (promptTokens: number) => `Leyendo ${tokens(promptTokens)}`,
  },

  stats: {
    tokens,
    firstAfter: (duration: string) => `el primero tras ${duration}`,
    reused: (reusedTokens: number) =>
      `${count(reusedTokens)} ${reusedTokens === 1 ? 'reutilizado' : 'reutilizados'}`,
    prompt: (promptTokens: number, imageTokens: number, reusedTokens: number) =>
      `prompt de ${tokens(promptTokens)}, de ellos ${count(imageTokens)} de imágenes y ` +
      `${count(reusedTokens)} reutilizados de turnos anteriores`,
    greedy: 'voraz (greedy)',
    sampling: (temperature: string, topP: string, topK: string, seed: string) =>
      `temperatura ${temperature}, top-p ${topP}, top-k ${topK}, semilla ${seed}`,
  },

  pictures: {
    pasted: (number: number) => `Imagen ${number}`,
    empty: (name: string) => `${name} está vacío. Elija otra imagen.`,
    tooLarge: (name: string) =>
      `${name} supera los 50 MB. Guarde una versión más pequeña e inténtelo de nuevo.`,
    noPicture: (name: string) =>
      `${name} no es una imagen PNG, JPEG, WebP o GIF. Convierta el archivo e inténtelo de nuevo.`,
    undecodable: (name: string) =>
      `${name} no se puede decodificar; puede estar dañado. Ábralo y guárdelo de nuevo, o elija otro.`,
  },

  settings: {
    title: 'Ajustes',
    close: 'Cerrar los ajustes',
    temperature: 'Temperatura',
    temperatureHint: '0 toma siempre la palabra más probable; un valor mayor varía más.',
    sampling: 'Muestreo',
    samplingOff: 'Se usa cuando la temperatura es mayor que 0',
    topP: 'Top-p',
    topPHint: 'Conserva las palabras más probables que juntas alcanzan esta proporción.',
    topK: 'Top-k',
    topKHint: 'Conserva este número de palabras entre las más probables; 0 las conserva todas.',
    newSeed: 'Una semilla nueva para cada respuesta',
    seed: 'Semilla',
    repetitionPenalty: 'Penalización por repetición',
    repetitionPenaltyHint: '1 la desactiva.',
    longestAnswer: 'Respuesta más larga, tokens',
    systemPrompt: 'Prompt del sistema',
    systemPromptHint: 'Va antes de la conversación. Algunos modelos lo ignoran o lo rechazan.',
    profile: 'Perfilar las respuestas',
    profileHint:
      'Muestra bajo cada respuesta en qué se fue el tiempo, kernel a kernel. Mientras tanto, las respuestas tardan más.',
    noProfile: 'No con un modelo en un servidor, que no lo indica.',
    reset: 'Restablecer los valores',
  },

  keys: {
    title: 'Atajos de teclado',
    enter: 'Intro',
    shift: 'Mayús',
    control: 'Ctrl',
    escape: 'Esc',
    send: 'enviar',
    newLine: 'empezar una línea nueva',
    stop: 'detener la respuesta',
    newChat: 'nuevo chat',
    settings: 'estos ajustes',
    question: 'ir al campo de la pregunta',
  },

  look: {
    title: 'Dónde mira',
    words: 'Palabras',
    towers: 'Codificadores',
    looking: 'Mirando…',
    quoted: (word: string) => `«${word}»:`,
    attention: (share: string, place: string) =>
      `El ${share} de su atención está en la imagen, sobre todo ${place}.`,
    attentionOfSeveral: (share: string, place: string, picture: number) =>
      `El ${share} de su atención está en las imágenes, sobre todo ${place} de la imagen ${picture}.`,
    places: {
      top: {
        left: 'en la parte superior izquierda',
        centre: 'en la parte superior central',
        right: 'en la parte superior derecha',
      },
      middle: {
        left: 'en el centro a la izquierda',
        centre: 'en el centro',
        right: 'en el centro a la derecha',
      },
      bottom: {
        left: 'en la parte inferior izquierda',
        centre: 'en la parte inferior central',
        right: 'en la parte inferior derecha',
      },
    },
    inOneCell: (share: string) => `${share} en una celda`,
    cut: 'Los bordes atenuados se recortaron antes de que el modelo viera la imagen.',
    chooseWord: 'Elija abajo una palabra de la respuesta.',
    averaged: 'Promedio de todas las capas y cabezas: en qué se apoyó el modelo, no por qué.',
    pictureGroup: 'Imagen',
    picture: (number: number) => `Imagen ${number}`,
    pictureShare: (number: number, share: string) => `Imagen ${number}: ${share}`,
    cells: 'Celdas de la imagen. Las flechas van de celda en celda.',
    wholeShares: 'Proporciones de toda la imagen. Señale una celda para ver las suyas.',
    cellShares: (row: number, column: number) => `Proporciones de la fila ${row}, columna ${column}.`,
    cell: (row: number, column: number, shares: string) => `Fila ${row}, columna ${column}: ${shares}`,
    colours: 'Qué muestran los colores',
    allTowers: 'Todos los codificadores',
  },

  profile: {
    title: 'Perfil',
    copy: 'Copiar como JSON',
    loadToFirstToken: 'De la carga al primer token',
    firstToken: 'De la pregunta al primer token',
    speed: 'Decodificación',
    dispatchesPerToken: 'Dispatches por token',
    encode: 'Codificar las imágenes',
    prompt: 'Leer el prompt',
    decode: 'Generar tokens',
    times: (wall: string, kernels: string) => `${wall}, de ellos ${kernels} en kernels`,
    kernel: 'Kernel',
    dispatches: 'Dispatches',
    milliseconds: 'ms',
    share: 'Parte',
    rate: 'GFLOP/s',
    timestamps: 'Según el reloj de la GPU, cada dispatch en una pasada propia, que también lleva tiempo.',
    waits:
      'Este navegador no da tiempos de la GPU: cada dispatch se repitió y se esperó. Compare proporciones, no sumas.',
  },

  element: {
    greeting: 'Pregunte sobre una imagen',
    back: 'Volver al chat',
    start: 'Iniciar',
    fetchesAmount: (size: string, host: string) =>
      `Funciona en este dispositivo: las imágenes y las preguntas se quedan aquí. Al iniciarlo, o al preguntar, se descargan ${size} de ${host}.`,
    fetchesFiles: (host: string) =>
      `Funciona en este dispositivo: las imágenes y las preguntas se quedan aquí. Al iniciarlo, o al preguntar, se descargan sus archivos de ${host}.`,
  },

  models,
  problems,
} satisfies Messages
