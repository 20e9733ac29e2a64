import { countIn } from '../../number'

const count = (value: number) => countIn('en', value)

/** Words of the models screen and of a load. */
export const models = {
  title: 'Models',
  intro: 'One model is loaded at a time. Your chat stays when you change it.',
  list: 'Ready to choose',
  loaded: 'Loaded',
  review: 'Review and load',

  facts: {
    noOtherDownload: (size: string) => `${size}, no other download`,
    download: (size: string) => `${size} download`,
    downloadUnknown: 'download: told before it starts',
    parameters: (amount: string) => `${amount} parameters`,
    licence: (name: string) => `licence: ${name}`,
    gpu: (weights: string, cache: string) =>
      `GPU, weights alone: ${weights}; ${cache} for 4,096 tokens of context`,
    gpuByTowers: (q4GB: number, f16GB: number) =>
      `GPU: about ${q4GB} GB at q4, one tower at a time; ${f16GB} GB at f16`,
  },

  sources: {
    title: 'Another checkpoint',
    address: 'Hugging Face repository, or the address of a folder',
    placeholder: 'owner/name or https://…',
    lookUp: 'Look up',
    folder: 'Local folder',
    folderHint: 'A folder on this machine, with config.json, tokenizer.json and *.safetensors',
    chooseFolder: 'Choose folder',
    unnamedFolder: 'local folder',
    noConfig: 'That folder has no config.json. Choose the folder that holds config.json and *.safetensors.',
    noWeights: 'That folder has a config.json but no weights. *.safetensors files should lie beside it.',
  },

  /** Why what was typed is no model's address. */
  address: {
    empty: 'Type a repository such as llava-hf/llava-1.5-7b-hf, or an address.',
    neither: 'That is neither owner/name nor an address that starts with https://.',
    noModel: 'That address names no model; it should look like https://huggingface.co/owner/name.',
    notOfModel: 'That is not the address of a model.',
    malformed: (text: string) => `${text} is not an address. It should start with https://.`,
    insecure: 'Only https addresses work, or http on localhost.',
    mixed: 'This page came over https, so browsers let it ask servers over https alone, or on localhost.',
  },

  /** A model that does not run on this device. */
  server: {
    title: 'A model on a server',
    about:
      'For a model that is too large for this device. vLLM, SGLang, llama.cpp, transformers serve and others that speak OpenAI’s chat completions can answer in its place.',
    address: 'Address of the server',
    key: 'API key, if the server wants one',
    keyHint: 'Kept until this page closes, never stored, and sent to this server alone.',
    model: 'Model',
    choose: 'Choose one of its models',
    asking: 'Asking which models it has…',
    notListed: 'This server does not list its models. Type the name it knows.',
    sends: (host: string) =>
      `Your pictures and questions are sent to ${host} and answered there. Whoever runs it can read them.`,
    open: (host: string) => `The way to ${host} is not encrypted: others on the network can read along.`,
    cannot: 'Where it looks, profiles and training need a model on this device.',
    start: 'Use this model',
  },

  /** Models with files on this device. */
  stored: {
    title: 'On this device',
    room: (used: string, most: string) => `This site stores ${used}; this browser lets it store ${most}.`,
    persistent: 'The browser keeps it until you remove it.',
    mayGo: 'The browser may clear it when the disk fills up.',
    persist: 'Ask it to keep it',
    unfinished: (done: string, total: string) =>
      `${done} of ${total}, the rest is fetched when the model is next loaded`,
    lastUsed: (day: string) => `last used ${day}`,
    verify: 'Verify',
    verifying: (done: string, total: string) => `Verifying: ${done} of ${total}`,
    sound: 'Every file is as its origin states.',
    damaged: (files: string) => `Damaged and removed, fetched anew with the next load: ${files}`,
    remove: 'Remove',
    removeSure: (name: string) => `Remove ${name} from this device?`,
    keep: 'Keep',
  },

  options: {
    weights: 'Weights on the GPU',
    context: 'Context, tokens',
    memory: 'GPU memory, GB',
    automatic: 'Automatic',
    memoryHint:
      'The most it may take. Vision towers that do not fit are fetched for each question with new pictures.',
    dtypes: {
      auto: '16 bit as published; smaller only where needed to fit',
      f16: '16 bit, as published',
      q8: '8 bit: about half the memory, hardly any loss',
      q4: '4 bit: about a third of the memory, some loss',
      f32: '32 bit: twice the memory, for comparisons',
    },
    about: (dtype: string) =>
      `${dtype}. Context: automatic is the model’s own limit, 4,096 at most; longer chats need more, and more memory.`,
    source: 'Source options',
    token: 'Access token, for private or gated models',
    tokenHint: 'Kept until this page closes, never stored, and sent to the host below alone.',
    hub: 'Hub address',
  },

  plan: {
    reading: 'Reading its configuration…',
    architecture: 'Architecture',
    model: (architecture: string, parameters: string, dtype: string) =>
      `${architecture}, ${parameters} parameters, as ${dtype}`,
    reads: 'Reads',
    downloads: 'Downloads',
    files: (size: string, files: number) => `${size} in ${count(files)} ${files === 1 ? 'file' : 'files'}`,
    context: 'Context',
    contextWithPictures: (tokens: number, ofPicture: number) =>
      `${count(tokens)} tokens, ${count(ofPicture)} for each picture`,
    contextOfText: (tokens: number) => `${count(tokens)} tokens; it takes no pictures`,
    memory: 'GPU memory',
    about: (size: string) => `about ${size}`,
    parts: {
      vision: 'Vision',
      connector: 'Connector',
      language: 'Language model',
      kvCache: 'Context (KV cache)',
      activations: 'Working memory',
    },
    towers: 'Vision towers',
    tower: 'Tower',
    parameters: 'Parameters',
    resident: 'Stays on the GPU',
    stays: 'stays',
    fetched: 'fetched',
    allFetched: (size: string, isLocal: boolean) => `The towers do ${notFitting(size, isLocal)}`,
    someFetched: (towers: number, size: string, isLocal: boolean) =>
      `${towers === 1 ? '1 tower does' : `${count(towers)} towers do`} ${notFitting(size, isLocal)}`,
    tooLarge: 'This is more than the GPU is known to hold. Smaller weights or a shorter context help.',
    straight:
      'The files come straight from their host to this browser. Nothing is sent there but the requests for them.',
    load: 'Load',
    loadAnyway: 'Load anyway',
    download: (size: string) => `Download ${size} and load`,
    downloadAnyway: (size: string) => `Download ${size} and load anyway`,
    answering: 'An answer is being written. Stop it first.',
  },

  load: {
    connecting: (host: string) => `Connecting to ${host}`,
    title: (model: string) => `Loading ${model}`,
    untitled: 'Loading the model',
    cancelling: 'Cancelling…',
    config: 'Configuration',
    weights: 'Weights',
    compile: 'GPU kernels',
    opening: 'Opening the GPU',
    reading: (file: string) => `Reading ${file}`,
    amount: (done: string, total: string) => `${done} of ${total}`,
    kernel: (done: number, total: number) => `Kernel ${done} of ${total}`,
    ready: 'Ready',
    progress: 'Loading',
    left: (time: string) => `${time} left`,
    file: (number: number, files: number, name: string, done: string, total: string) =>
      `File ${number} of ${files}: ${name}, ${done} of ${total}`,
  },

  /** The models offered by name, by their repositories. */
  catalogue: {
    'llava-hf/llava-interleave-qwen-0.5b-hf': {
      about:
        'A small general assistant, and the best first choice for ordinary photos. Takes several pictures.',
      licence: 'Tongyi Qianwen, research only',
    },
    'llava-hf/llava-1.5-7b-hf': {
      about: 'The classic. Describes scenes and reads large print; wants a GPU with 8 GB or more, at q4.',
      licence: 'Llama 2 Community License',
    },
    'llava-hf/llava-1.5-13b-hf': {
      about: 'Somewhat more careful than 7B, at twice the download; for GPUs with 16 GB or more.',
      licence: 'Llama 2 Community License',
    },
    'nyu-visionx/cambrian-phi3-3b': {
      about:
        'Looks through four vision towers at once and shows which of them tells it what. The towers lie in repositories of their own.',
      licence: "its own and those of its towers' repositories",
    },
    'nyu-visionx/cambrian-8b': {
      about: 'The same four towers before Llama 3 8B: more careful answers.',
      licence: "Llama 3 Community License, and those of its towers' repositories",
    },
    'Qwen/Qwen2.5-0.5B-Instruct': {
      about: 'Text only: it sees no pictures. Quick to try and good at following short instructions.',
      licence: 'Apache 2.0',
    },
  },

  /** The models that come along, by their names: what they can do and what not. */
  bundled: {
    'trilobite-nano-cambrian': {
      about:
        'Comes with this page: a Cambrian-1 in miniature, with two vision towers, that shows where it looks. Knows drawings of coloured shapes, ten kinds of small photos, and single digits; shown anything else it answers all the same, and is usually wrong.',
    },
    'trilobite-nano-llava': {
      about:
        'Comes with this page too: a LLaVA in miniature, with one tower, of the same small world. Half the size, and so far a little more often right about drawings and photos.',
    },
    'trilobite-nano-stage1': {
      about:
        'To be trained, not to chat with: trilobite-nano-llava right before stage 1. Its tower knows the pictures and its language model the words, but the projector between them is random, so it answers with nonsense until it has been trained.',
    },
  },
}

function notFitting(size: string, isLocal: boolean): string {
  const how = isLocal ? 'are read' : 'come from the browser’s cache or the host'
  return (
    `not fit beside the rest: ${size} ${how} for each question with new pictures, one tower at a time. ` +
    'More GPU memory under the options keeps more of them.'
  )
}
