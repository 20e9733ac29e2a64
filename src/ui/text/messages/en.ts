import { countIn } from '../number'
import { models } from './models/en'
import { problems } from './problems/en'

const count = (value: number) => countIn('en', value)
const tokens = (value: number) => `${count(value)} ${value === 1 ? 'token' : 'tokens'}`

/**
 * Every word an element may show, by screen. Functions are given counts as numbers and all else as it is to be shown.
 *
 * The other languages follow this one: what is missing there does not compile.
 */
export const en = {
  /** BCP 47 tag by whose rules numbers are written. */
  locale: 'en',

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
    fewSeconds: 'a few seconds',
    unknownTime: 'unknown',
  },

  components: {
    copy: 'Copy',
    copied: 'Copied',
    copyRefused: 'The browser refused to copy',
    cancel: 'Cancel',
    close: 'Close',
    dismiss: 'Dismiss',
    details: 'Details',
    pictures: 'Pictures',
    enlarge: (picture: string) => `Enlarge ${picture}`,
    remove: (picture: string) => `Remove ${picture}`,
    closePicture: 'Close picture',
  },

  /** Buttons of a problem. */
  remedies: {
    'reload-model': 'Reload model',
    'choose-model': 'Choose a model',
    'use-server': 'Use a model on a server',
    retry: 'Try again',
    'new-chat': 'New chat',
    'reload-page': 'Reload page',
  },

  /** Read out by screen readers as it happens. */
  announcements: {
    newChat: 'New chat',
    modelReady: 'Model ready',
    loading: (percent: number) => `Loading, ${percent} percent`,
    generating: 'Generating',
    answerStopped: 'Answer stopped',
    answerComplete: 'Answer complete',
    answerCutShort: 'Answer cut short',
    noAnswer: (problem: string) => `No answer. ${problem}`,
  },

  chat: {
    title: 'Chat',
    conversation: 'Conversation',
    toEnd: 'To the end',
    dropPictures: 'Drop pictures to add them',
    modelState: (dtype: string, contextTokens: number) =>
      `${dtype} · ${count(contextTokens)} tokens of context`,
    mistakes: 'Models make mistakes. Check what matters.',
    answersFrom: (host: string) => `Answers come from ${host}. Pictures and questions are sent there.`,
    keys: 'Enter sends, Shift+Enter starts a line',
    notLoaded: 'The model is not loaded. Your chat is kept.',
    choose: 'Choose',
    load: (model: string) => `Load ${model}`,
  },

  recovery: {
    title: 'The connection to the GPU was lost.',
    advice: 'The model is being loaded again. What was under way then goes on by itself.',
    attempt: (attempt: number, attempts: number) => `Attempt ${attempt} of ${attempts}`,
    stop: 'Stop loading',
  },

  composer: {
    probing: 'Testing the GPU…',
    unfit: 'No usable GPU; see above.',
    loading: 'The model is loading…',
    lost: 'Reload the model to go on.',
    recovering: 'The model is coming back…',
    idle: 'Load a model to ask.',
    addPictures: 'Add pictures',
    takesNoPictures: 'This model takes no pictures',
    question: 'Your question',
    askAboutPicture: 'Ask about a picture',
    ask: 'Ask',
    send: 'Send',
    stop: 'Stop answering',
  },

  question: {
    you: 'You',
    copy: 'Copy question',
    edit: 'Edit question',
    field: 'Edit your question',
    askAgain: 'Ask again',
    replaces: 'What came after this question is replaced.',
  },

  answer: {
    waiting: 'Waiting',
    progress: 'Progress',
    copy: 'Copy answer',
    regenerate: 'Regenerate answer',
    notLookable:
      'Only the newest answer can be looked into, as long as its model stays loaded: the engine holds one ' +
      'answer at a time. Press Regenerate to ask this again.',
    notLookableThere: (host: string) =>
      `Where it looks cannot be shown: ${host} answers, and does not tell. Load a model on this device to see it.`,
    code: 'code',
    copyCode: 'Copy code',
    withheld: (picture: string) => `[picture not loaded: ${picture}]`,
  },

  /** Why an answer ended as it did. */
  endings: {
    aborted: 'Stopped.',
    length: 'Cut off at the answer limit. Raise it in the settings to let answers run longer.',
    context: 'The context is full. Start a new chat, or load the model with a longer context.',
    lost: 'Cut short: the engine was lost. Once the model is back, press Regenerate to ask again.',
    interrupted: 'The page was closed before this answer was complete.',
  },

  /** What is being done before the first token. */
  activity: {
    readingQuestion: 'Reading the question',
    lookingAtPicture: 'Looking at the picture',
    lookingAtPictures: (pictures: number) => `Looking at ${pictures} pictures`,
    loadingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Loading vision tower ${tower} of ${towers}, ${name}: ${percent}`,
    fetchingTower: (tower: number, towers: number, name: string, percent: string) =>
      `Fetching vision tower ${tower} of ${towers}, ${name}: ${percent}`,
    readingTokens: (promptTokens: number) => `Reading ${promptTokens} tokens`,
  },

  stats: {
    tokens,
    firstAfter: (duration: string) => `first after ${duration}`,
    reused: (reusedTokens: number) => `${count(reusedTokens)} reused`,
    prompt: (promptTokens: number, imageTokens: number, reusedTokens: number) =>
      `prompt ${tokens(promptTokens)}, ${count(imageTokens)} of them from pictures, ` +
      `${count(reusedTokens)} reused from earlier turns`,
    greedy: 'greedy',
    sampling: (temperature: string, topP: string, topK: string, seed: string) =>
      `temperature ${temperature}, top-p ${topP}, top-k ${topK}, seed ${seed}`,
  },

  pictures: {
    pasted: (number: number) => `Picture ${number}`,
    empty: (name: string) => `${name} is empty. Choose another picture.`,
    tooLarge: (name: string) => `${name} is larger than 50 MB. Save it smaller and try again.`,
    noPicture: (name: string) => `${name} is not a PNG, JPEG, WebP or GIF picture. Convert it and try again.`,
    undecodable: (name: string) =>
      `${name} cannot be decoded; it may be damaged. Open and save it anew, or choose another.`,
  },

  settings: {
    title: 'Settings',
    close: 'Close settings',
    temperature: 'Temperature',
    temperatureHint: '0 always takes the likeliest word; higher varies more.',
    sampling: 'Sampling',
    samplingOff: 'Used when the temperature is above 0',
    topP: 'Top-p',
    topPHint: 'Keeps the likeliest words that together reach this share.',
    topK: 'Top-k',
    topKHint: 'Keeps this many of the likeliest words; 0 keeps all.',
    newSeed: 'A new seed for every answer',
    seed: 'Seed',
    repetitionPenalty: 'Repetition penalty',
    repetitionPenaltyHint: '1 is off.',
    longestAnswer: 'Longest answer, tokens',
    systemPrompt: 'System prompt',
    systemPromptHint: 'Goes before the conversation. Some models ignore or refuse it.',
    profile: 'Profile answers',
    profileHint:
      'Shows under each answer where its time went, kernel by kernel. Answers take longer meanwhile.',
    noProfile: 'Not for a model on a server, which does not tell.',
    reset: 'Back to defaults',
  },

  keys: {
    title: 'Keys',
    enter: 'Enter',
    shift: 'Shift',
    control: 'Ctrl',
    escape: 'Esc',
    send: 'send',
    newLine: 'start a new line',
    stop: 'stop the answer',
    newChat: 'new chat',
    settings: 'these settings',
    question: 'go to the question field',
  },

  look: {
    title: 'Where it looks',
    words: 'Words',
    towers: 'Towers',
    looking: 'Looking…',
    quoted: (word: string) => `“${word}”:`,
    attention: (share: string, place: string) =>
      `${share} of its attention is on the picture, most of it ${place}.`,
    attentionOfSeveral: (share: string, place: string, picture: number) =>
      `${share} of its attention is on the pictures, most of it ${place} of picture ${picture}.`,
    /** Parts of a picture, as `attention` says them. */
    places: {
      top: { left: 'at the top left', centre: 'at the top centre', right: 'at the top right' },
      middle: { left: 'at the middle left', centre: 'in the centre', right: 'at the middle right' },
      bottom: { left: 'at the bottom left', centre: 'at the bottom centre', right: 'at the bottom right' },
    },
    inOneCell: (share: string) => `${share} in one cell`,
    cut: 'The dimmed edges were cut off before the model saw the picture.',
    chooseWord: 'Choose a word of the answer below.',
    averaged: 'Averaged over all layers and heads: what the model drew on, not why.',
    pictureGroup: 'Picture',
    picture: (number: number) => `Picture ${number}`,
    pictureShare: (number: number, share: string) => `Picture ${number}: ${share}`,
    cells: 'Cells of the picture. Arrow keys go from cell to cell.',
    wholeShares: 'Shares of the whole picture. Point at a cell for its own.',
    cellShares: (row: number, column: number) => `Shares of row ${row}, column ${column}.`,
    cell: (row: number, column: number, shares: string) => `Row ${row}, column ${column}: ${shares}`,
    colours: 'What the colours show',
    allTowers: 'All towers',
  },

  profile: {
    title: 'Profile',
    copy: 'Copy as JSON',
    loadToFirstToken: 'Load to first token',
    firstToken: 'Question to first token',
    speed: 'Decoding',
    dispatchesPerToken: 'Dispatches a token',
    encode: 'Encoding pictures',
    prompt: 'Reading the prompt',
    decode: 'Generating tokens',
    times: (wall: string, kernels: string) => `${wall}, of which kernels ${kernels}`,
    kernel: 'Kernel',
    dispatches: 'Dispatches',
    milliseconds: 'ms',
    share: 'Share',
    rate: 'GFLOP/s',
    timestamps: 'By the GPU’s clock, each dispatch in a pass of its own, which takes time itself.',
    waits:
      'This browser does not tell GPU times: each dispatch was made again and waited for. Compare shares, not sums.',
  },

  /** What only an element in another's page says: above an empty chat, and before anything is fetched. */
  element: {
    greeting: 'Ask about a picture',
    back: 'Back to the chat',
    start: 'Start',
    fetchesAmount: (size: string, host: string) =>
      `It runs on this device: pictures and questions stay here. Starting it, or asking, fetches ${size} from ${host}.`,
    fetchesFiles: (host: string) =>
      `It runs on this device: pictures and questions stay here. Starting it, or asking, fetches its files from ${host}.`,
  },

  models,
  problems,
}

export type Messages = typeof en
