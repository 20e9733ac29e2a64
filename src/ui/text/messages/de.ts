import { countIn } from '../number'
import type { Messages } from './en'
import { models } from './models/de'
import { problems } from './problems/de'

const count = (value: number) => countIn('de', value)

export const de = {
  locale: 'de',

  units: {
    byte: 'B',
    perSecond: (amount: string) => `${amount}/s`,
    tokensPerSecond: (rate: string) => `${rate} Token/s`,
    milliseconds: (milliseconds: number) => `${milliseconds} ms`,
    seconds: (seconds: string) => `${seconds} s`,
    minutes: (minutes: number) => `${minutes} Min.`,
    minutesAndSeconds: (minutes: number, seconds: number) => `${minutes} Min. ${seconds} s`,
    hours: (hours: number) => `${hours} Std.`,
    hoursAndMinutes: (hours: number, minutes: number) => `${hours} Std. ${minutes} Min.`,
    fewSeconds: 'wenige Sekunden',
    unknownTime: 'unbekannt lange',
  },

  components: {
    copy: 'Kopieren',
    copied: 'Kopiert',
    copyRefused: 'Der Browser hat das Kopieren verweigert',
    cancel: 'Abbrechen',
    close: 'Schließen',
    dismiss: 'Ausblenden',
    details: 'Einzelheiten',
    pictures: 'Bilder',
    enlarge: (picture: string) => `${picture} vergrößern`,
    remove: (picture: string) => `${picture} entfernen`,
    closePicture: 'Bild schließen',
  },

  remedies: {
    'reload-model': 'Modell neu laden',
    'choose-model': 'Modell wählen',
    'use-server': 'Modell auf einem Server nutzen',
    retry: 'Erneut versuchen',
    'new-chat': 'Neuer Chat',
    'reload-page': 'Seite neu laden',
  },

  announcements: {
    newChat: 'Neuer Chat',
    modelReady: 'Modell bereit',
    loading: (percent: number) => `Wird geladen, ${percent} Prozent`,
    generating: 'Antwort wird erzeugt',
    answerStopped: 'Antwort angehalten',
    answerComplete: 'Antwort vollständig',
    answerCutShort: 'Antwort abgebrochen',
    noAnswer: (problem: string) => `Keine Antwort. ${problem}`,
  },

  chat: {
    title: 'Unterhaltung',
    conversation: 'Gesprächsverlauf',
    toEnd: 'Zum Ende',
    dropPictures: 'Bilder hier ablegen, um sie hinzuzufügen',
    modelState: (dtype: string, contextTokens: number) => `${dtype} · ${count(contextTokens)} Token Kontext`,
    mistakes: 'Modelle machen Fehler. Prüfen Sie, was wichtig ist.',
    answersFrom: (host: string) => `Antworten kommen von ${host}. Bilder und Fragen werden dorthin gesendet.`,
    keys: 'Eingabe sendet, Umschalt+Eingabe beginnt eine neue Zeile',
    notLoaded: 'Das Modell ist nicht geladen. Ihr Chat bleibt erhalten.',
    choose: 'Wählen',
    load: (model: string) => `${model} laden`,
  },

  recovery: {
    title: 'Die Verbindung zur GPU ist abgebrochen.',
    advice: 'Das Modell wird neu geladen. Was gerade lief, geht danach von selbst weiter.',
    attempt: (attempt: number, attempts: number) => `Versuch ${attempt} von ${attempts}`,
    stop: 'Laden abbrechen',
  },

  composer: {
    probing: 'Die GPU wird getestet …',
    unfit: 'Keine brauchbare GPU; siehe oben.',
    loading: 'Das Modell wird geladen …',
    lost: 'Laden Sie das Modell neu.',
    recovering: 'Das Modell kommt zurück …',
    idle: 'Laden Sie zuerst ein Modell.',
    addPictures: 'Bilder hinzufügen',
    takesNoPictures: 'Dieses Modell nimmt keine Bilder an',
    question: 'Ihre Frage',
    askAboutPicture: 'Frage zu einem Bild',
    ask: 'Ihre Frage',
    send: 'Senden',
    stop: 'Antwort anhalten',
  },

  question: {
    you: 'Sie',
    copy: 'Frage kopieren',
    edit: 'Frage bearbeiten',
    field: 'Ihre Frage bearbeiten',
    askAgain: 'Erneut fragen',
    replaces: 'Was auf diese Frage folgte, wird ersetzt.',
  },

  answer: {
    waiting: 'Warten',
    progress: 'Fortschritt',
    copy: 'Antwort kopieren',
    regenerate: 'Antwort neu erzeugen',
    notLookable:
      'Nur in die neueste Antwort lässt sich hineinsehen, solange ihr Modell geladen bleibt: Die Engine hält ' +
      'immer nur eine Antwort bereit. „Antwort neu erzeugen“ stellt diese Frage noch einmal.',
    notLookableThere: (host: string) =>
      `Wohin es blickt, lässt sich nicht zeigen: ${host} antwortet und teilt es nicht mit. Laden Sie dafür ein Modell auf diesem Gerät.`,
    code: 'Code',
    copyCode: 'Code kopieren',
    withheld: (picture: string) => `[Bild nicht geladen: ${picture}]`,
  },

  endings: {
    aborted: 'Angehalten.',
    length:
      'An der Längengrenze abgeschnitten. Erhöhen Sie sie in den Einstellungen, um längere Antworten zu erlauben.',
    context:
      'Der Kontext ist voll. Beginnen Sie einen neuen Chat oder laden Sie das Modell mit mehr Kontext.',
    lost:
      'Abgebrochen: Die Engine ist ausgefallen. Sobald das Modell wieder da ist, stellt „Antwort neu erzeugen“ ' +
      'die Frage noch einmal.',
    interrupted: 'Die Seite wurde geschlossen, bevor diese Antwort vollständig war.',
  },

  activity: {
    readingQuestion: 'Liest die Frage',
    lookingAtPicture: 'Sieht sich das Bild an',
    lookingAtPictures: (pictures: number) => `Sieht sich ${pictures} Bilder an`,
    loadingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Lädt Vision-Encoder ${tower} von ${towers}, ${name}: ${percent}`,
    fetchingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Holt Vision-Encoder ${tower} von ${towers}, ${name}: ${percent}`,
    readingTokens: (promptTokens: number) => `Liest ${count(promptTokens)} Token`,
  },

  stats: {
    tokens: (tokens: number) => `${count(tokens)} Token`,
    firstAfter: (duration: string) => `erstes nach ${duration}`,
    reused: (reusedTokens: number) => `${count(reusedTokens)} wiederverwendet`,
    prompt: (promptTokens: number, imageTokens: number, reusedTokens: number) =>
      `Prompt ${count(promptTokens)} Token, davon ${count(imageTokens)} aus Bildern, ` +
      `${count(reusedTokens)} aus früheren Runden wiederverwendet`,
    greedy: 'Greedy',
    sampling: (temperature: string, topP: string, topK: string, seed: string) =>
      `Temperatur ${temperature}, Top-p ${topP}, Top-k ${topK}, Startwert ${seed}`,
  },

  pictures: {
    pasted: (number: number) => `Bild ${number}`,
    empty: (name: string) => `${name} ist leer. Wählen Sie ein anderes Bild.`,
    tooLarge: (name: string) =>
      `${name} ist größer als 50 MB. Speichern Sie es kleiner und versuchen Sie es erneut.`,
    noPicture: (name: string) =>
      `${name} ist kein Bild im Format PNG, JPEG, WebP oder GIF. Wandeln Sie es um und versuchen Sie es erneut.`,
    undecodable: (name: string) =>
      `${name} lässt sich nicht dekodieren und ist vielleicht beschädigt. Öffnen und speichern Sie es neu oder ` +
      'wählen Sie ein anderes.',
  },

  settings: {
    title: 'Einstellungen',
    close: 'Einstellungen schließen',
    temperature: 'Temperatur',
    temperatureHint: '0 nimmt immer das wahrscheinlichste Wort; höhere Werte variieren mehr.',
    sampling: 'Auswahl der Wörter',
    samplingOff: 'Wirkt, wenn die Temperatur über 0 liegt',
    topP: 'Top-p',
    topPHint: 'Behält die wahrscheinlichsten Wörter, die zusammen diesen Anteil erreichen.',
    topK: 'Top-k',
    topKHint: 'Behält so viele der wahrscheinlichsten Wörter; 0 behält alle.',
    newSeed: 'Ein neuer Startwert für jede Antwort',
    seed: 'Startwert (Seed)',
    repetitionPenalty: 'Wiederholungs\u00adstrafe',
    repetitionPenaltyHint: '1 schaltet sie aus.',
    longestAnswer: 'Längste Antwort, Token',
    systemPrompt: 'System-Prompt',
    systemPromptHint: 'Steht vor der Unterhaltung. Manche Modelle übergehen ihn oder lehnen ihn ab.',
    profile: 'Antworten profilieren',
    profileHint:
      'Zeigt unter jeder Antwort, wofür die Zeit verging, Kernel für Kernel. Antworten dauern solange länger.',
    noProfile: 'Nicht bei einem Modell auf einem Server, der es nicht mitteilt.',
    reset: 'Auf Standard zurücksetzen',
  },

  keys: {
    title: 'Tasten',
    enter: 'Eingabe',
    shift: 'Umschalt',
    control: 'Strg',
    escape: 'Esc',
    send: 'senden',
    newLine: 'neue Zeile beginnen',
    stop: 'Antwort anhalten',
    newChat: 'neuer Chat',
    settings: 'diese Einstellungen',
    question: 'zum Fragefeld springen',
  },

  look: {
    title: 'Wohin es blickt',
    words: 'Wörter',
    towers: 'Encoder',
    looking: 'Wird ermittelt …',
    quoted: (word: string) => `„${word}“:`,
    attention: (share: string, place: string) =>
      `${share} der Aufmerksamkeit liegen auf dem Bild, das meiste davon ${place}.`,
    attentionOfSeveral: (share: string, place: string, picture: number) =>
      `${share} der Aufmerksamkeit liegen auf den Bildern, das meiste davon ${place} von Bild ${picture}.`,
    places: {
      top: { left: 'oben links', centre: 'oben in der Mitte', right: 'oben rechts' },
      middle: { left: 'links in der Mitte', centre: 'in der Mitte', right: 'rechts in der Mitte' },
      bottom: { left: 'unten links', centre: 'unten in der Mitte', right: 'unten rechts' },
    },
    inOneCell: (share: string) => `${share} in einer Zelle`,
    cut: 'Die abgedunkelten Ränder wurden abgeschnitten, bevor das Modell das Bild sah.',
    chooseWord: 'Wählen Sie unten ein Wort der Antwort.',
    averaged: 'Gemittelt über alle Schichten und Heads: worauf sich das Modell stützte, nicht warum.',
    pictureGroup: 'Bild',
    picture: (number: number) => `Bild ${number}`,
    pictureShare: (number: number, share: string) => `Bild ${number}: ${share}`,
    cells: 'Zellen des Bildes. Die Pfeiltasten führen von Zelle zu Zelle.',
    wholeShares: 'Anteile am ganzen Bild. Zeigen Sie auf eine Zelle, um ihre zu sehen.',
    cellShares: (row: number, column: number) => `Anteile in Zeile ${row}, Spalte ${column}.`,
    cell: (row: number, column: number, shares: string) => `Zeile ${row}, Spalte ${column}: ${shares}`,
    colours: 'Was die Farben zeigen',
    allTowers: 'Alle Encoder',
  },

  profile: {
    title: 'Profil',
    copy: 'Als JSON kopieren',
    loadToFirstToken: 'Laden bis erstes Token',
    firstToken: 'Frage bis erstes Token',
    speed: 'Tempo der Antwort',
    dispatchesPerToken: 'Dispatches je Token',
    encode: 'Bilder encodieren',
    prompt: 'Prompt lesen',
    decode: 'Token erzeugen',
    times: (wall: string, kernels: string) => `${wall}, davon Kernel ${kernels}`,
    kernel: 'Kernel',
    dispatches: 'Dispatches',
    milliseconds: 'ms',
    share: 'Anteil',
    rate: 'GFLOP/s',
    timestamps: 'Nach der Uhr der GPU; jeder Dispatch läuft in einem eigenen Pass, der selbst Zeit kostet.',
    waits:
      'Dieser Browser nennt keine GPU-Zeiten: Jeder Dispatch wurde wiederholt und abgewartet. Vergleichen Sie Anteile, nicht Summen.',
  },

  element: {
    greeting: 'Fragen Sie etwas zu einem Bild',
    back: 'Zurück zum Chat',
    start: 'Starten',
    fetchesAmount: (size: string, host: string) =>
      `Es läuft auf diesem Gerät: Bilder und Fragen bleiben hier. Beim Starten oder Fragen werden ${size} von ${host} geholt.`,
    fetchesFiles: (host: string) =>
      `Es läuft auf diesem Gerät: Bilder und Fragen bleiben hier. Beim Starten oder Fragen werden seine Dateien von ${host} geholt.`,
  },

  models,
  problems,
} satisfies Messages
