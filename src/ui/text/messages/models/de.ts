import { countIn } from '../../number'
import type { Messages } from '../en'

const count = (value: number) => countIn('de', value)

export const models = {
  title: 'Modelle',
  intro: 'Es ist immer ein Modell geladen. Ihr Chat bleibt, wenn Sie es wechseln.',
  list: 'Zur Auswahl',
  loaded: 'Geladen',
  review: 'Prüfen und laden',

  facts: {
    noOtherDownload: (size: string) => `${size}, sonst kein Download`,
    download: (size: string) => `${size} Download`,
    downloadUnknown: 'Download: wird vor dem Start genannt',
    parameters: (amount: string) => `${amount} Parameter`,
    licence: (name: string) => `Lizenz: ${name}`,
    gpu: (weights: string, cache: string) =>
      `GPU, nur die Gewichte: ${weights}; ${cache} für 4.096 Token Kontext`,
    gpuByTowers: (q4GB: number, f16GB: number) =>
      `GPU: etwa ${q4GB} GB bei q4, ein Encoder nach dem anderen; ${f16GB} GB bei f16`,
  },

  sources: {
    title: 'Ein anderer Checkpoint',
    address: 'Hugging-Face-Repository oder die Adresse eines Ordners',
    placeholder: 'owner/name oder https://…',
    lookUp: 'Nachsehen',
    folder: 'Lokaler Ordner',
    folderHint: 'Ein Ordner auf diesem Gerät mit config.json, tokenizer.json und *.safetensors',
    chooseFolder: 'Ordner wählen',
    unnamedFolder: 'lokaler Ordner',
    noConfig:
      'Dieser Ordner enthält keine config.json. Wählen Sie den Ordner mit config.json und *.safetensors.',
    noWeights:
      'Dieser Ordner enthält eine config.json, aber keine Gewichte. Daneben sollten *.safetensors-Dateien liegen.',
  },

  address: {
    empty: 'Geben Sie ein Repository wie llava-hf/llava-1.5-7b-hf oder eine Adresse ein.',
    neither: 'Das ist weder owner/name noch eine Adresse, die mit https:// beginnt.',
    noModel: 'Diese Adresse nennt kein Modell; sie sollte wie https://huggingface.co/owner/name aussehen.',
    notOfModel: 'Das ist nicht die Adresse eines Modells.',
    malformed: (text: string) => `${text} ist keine Adresse. Sie sollte mit https:// beginnen.`,
    insecure: 'Nur https-Adressen funktionieren, oder http auf localhost.',
    mixed:
      'Diese Seite kam über https. Browser lassen sie daher nur Server über https fragen, oder auf localhost.',
  },

  server: {
    title: 'Ein Modell auf einem Server',
    about:
      'Für ein Modell, das für dieses Gerät zu groß ist. An seiner Stelle können vLLM, SGLang, llama.cpp, transformers serve und andere antworten, die OpenAIs Chat Completions sprechen.',
    address: 'Adresse des Servers',
    key: 'API-Schlüssel, falls der Server einen verlangt',
    keyHint: 'Bleibt bis zum Schließen dieser Seite, wird nie gespeichert und nur an diesen Server gesendet.',
    model: 'Modell',
    choose: 'Eines seiner Modelle wählen',
    asking: 'Der Server wird nach seinen Modellen gefragt…',
    notListed: 'Dieser Server nennt seine Modelle nicht. Geben Sie den Namen ein, den er kennt.',
    sends: (host: string) =>
      `Ihre Bilder und Fragen werden an ${host} gesendet und dort beantwortet. Wer ihn betreibt, kann sie lesen.`,
    open: (host: string) => `Der Weg zu ${host} ist nicht verschlüsselt: Andere im Netz können mitlesen.`,
    cannot: 'Blickrichtung, Profile und Training brauchen ein Modell auf diesem Gerät.',
    start: 'Dieses Modell nutzen',
  },

  stored: {
    title: 'Auf diesem Gerät',
    room: (used, most) => `Diese Seite speichert ${used}; der Browser lässt ${most} zu.`,
    persistent: 'Der Browser behält sie, bis Sie sie entfernen.',
    mayGo: 'Der Browser darf sie löschen, wenn der Speicher knapp wird.',
    persist: 'Um dauerhaftes Speichern bitten',
    unfinished: (done, total) => `${done} von ${total}, der Rest wird beim nächsten Laden geholt`,
    lastUsed: (day) => `zuletzt benutzt am ${day}`,
    verify: 'Prüfen',
    verifying: (done, total) => `Prüfung: ${done} von ${total}`,
    sound: 'Jede Datei ist, wie ihre Herkunft sie angibt.',
    damaged: (files) => `Beschädigt und entfernt, beim nächsten Laden neu geholt: ${files}`,
    remove: 'Entfernen',
    removeSure: (name) => `${name} von diesem Gerät entfernen?`,
    keep: 'Behalten',
  },

  options: {
    weights: 'Gewichte auf der GPU',
    context: 'Kontext, Token',
    memory: 'GPU-Speicher, GB',
    automatic: 'Automatisch',
    memoryHint:
      'So viel darf es höchstens belegen. Vision-Encoder, die nicht hineinpassen, werden für jede Frage mit neuen Bildern geholt.',
    dtypes: {
      auto: '16 Bit wie veröffentlicht; kleiner nur, wo es sonst nicht passt',
      f16: '16 Bit, wie veröffentlicht',
      q8: '8 Bit: etwa der halbe Speicher, kaum Verlust',
      q4: '4 Bit: etwa ein Drittel des Speichers, etwas Verlust',
      f32: '32 Bit: der doppelte Speicher, für Vergleiche',
    },
    about: (dtype: string) =>
      `${dtype}. Kontext: Automatisch ist die Grenze des Modells selbst, höchstens 4.096; längere Chats brauchen mehr, ` +
      'und mehr Speicher.',
    source: 'Optionen der Quelle',
    token: 'Zugriffstoken für private oder beschränkte Modelle',
    tokenHint:
      'Bleibt bis zum Schließen dieser Seite, wird nie gespeichert und nur an den Host unten gesendet.',
    hub: 'Adresse des Hubs',
  },

  plan: {
    reading: 'Die Konfiguration wird gelesen …',
    architecture: 'Architektur',
    model: (architecture: string, parameters: string, dtype: string) =>
      `${architecture}, ${parameters} Parameter, als ${dtype}`,
    reads: 'Liest',
    downloads: 'Lädt herunter',
    files: (size: string, files: number) => `${size} in ${count(files)} ${files === 1 ? 'Datei' : 'Dateien'}`,
    context: 'Kontext',
    contextWithPictures: (tokens: number, ofPicture: number) =>
      `${count(tokens)} Token, ${count(ofPicture)} je Bild`,
    contextOfText: (tokens: number) => `${count(tokens)} Token; es nimmt keine Bilder an`,
    memory: 'GPU-Speicher',
    about: (size: string) => `etwa ${size}`,
    parts: {
      vision: 'Sehen',
      connector: 'Konnektor',
      language: 'Sprachmodell',
      kvCache: 'Kontext (KV-Cache)',
      activations: 'Arbeitsspeicher',
    },
    towers: 'Vision-Encoder',
    tower: 'Encoder',
    parameters: 'Anzahl der Parameter',
    resident: 'Bleibt auf der GPU',
    stays: 'bleibt',
    fetched: 'geholt',
    allFetched: (size: string, isLocal: boolean) =>
      `Die Encoder passen nicht neben den Rest: ${fetching(size, isLocal)}`,
    someFetched: (towers: number, size: string, isLocal: boolean) =>
      `${towers === 1 ? '1 Encoder passt' : `${count(towers)} Encoder passen`} nicht neben den Rest: ${fetching(size, isLocal)}`,
    tooLarge:
      'Das ist mehr, als die GPU bekanntermaßen fasst. Kleinere Gewichte oder ein kürzerer Kontext helfen.',
    straight:
      'Die Dateien kommen direkt von ihrem Host in diesen Browser. Dorthin geht nichts außer den Anfragen danach.',
    load: 'Laden',
    loadAnyway: 'Trotzdem laden',
    download: (size: string) => `${size} herunterladen und laden`,
    downloadAnyway: (size: string) => `Trotzdem ${size} herunterladen und laden`,
    answering: 'Es wird gerade eine Antwort geschrieben. Halten Sie sie zuerst an.',
  },

  load: {
    connecting: (host: string) => `Verbindung mit ${host}`,
    title: (model: string) => `${model} wird geladen`,
    untitled: 'Das Modell wird geladen',
    cancelling: 'Wird abgebrochen …',
    config: 'Konfiguration',
    weights: 'Gewichte',
    compile: 'GPU-Kernel',
    opening: 'Die GPU wird geöffnet',
    reading: (file: string) => `Liest ${file}`,
    amount: (done: string, total: string) => `${done} von ${total}`,
    kernel: (done: number, total: number) => `Kernel ${done} von ${total}`,
    ready: 'Bereit',
    progress: 'Wird geladen',
    left: (time: string) => `noch ${time}`,
    file: (number: number, files: number, name: string, done: string, total: string) =>
      `Datei ${number} von ${files}: ${name}, ${done} von ${total}`,
  },

  catalogue: {
    'llava-hf/llava-interleave-qwen-0.5b-hf': {
      about:
        'Ein kleiner, vielseitiger Assistent und die beste erste Wahl für gewöhnliche Fotos. Nimmt mehrere Bilder an.',
      licence: 'Tongyi Qianwen, nur für Forschung',
    },
    'llava-hf/llava-1.5-7b-hf': {
      about:
        'Der Klassiker. Beschreibt Szenen und liest große Schrift; braucht bei q4 eine GPU mit 8 GB oder mehr.',
      licence: 'Llama 2 Community License',
    },
    'llava-hf/llava-1.5-13b-hf': {
      about: 'Etwas sorgfältiger als 7B bei doppeltem Download; für GPUs mit 16 GB oder mehr.',
      licence: 'Llama 2 Community License',
    },
    'nyu-visionx/cambrian-phi3-3b': {
      about:
        'Sieht mit vier Vision-Encodern zugleich und zeigt, welcher ihm was sagt. Die Encoder liegen in eigenen Repositorys.',
      licence: 'die eigene und die der Repositorys seiner Encoder',
    },
    'nyu-visionx/cambrian-8b': {
      about: 'Dieselben vier Encoder vor Llama 3 8B: sorgfältigere Antworten.',
      licence: 'Llama 3 Community License und die der Repositorys seiner Encoder',
    },
    'Qwen/Qwen2.5-0.5B-Instruct': {
      about:
        'Nur Text: Es sieht keine Bilder. Schnell ausprobiert und gut darin, kurzen Anweisungen zu folgen.',
      licence: 'Apache 2.0',
    },
  },

  bundled: {
    'trilobite-nano-cambrian': {
      about:
        'Liegt dieser Seite bei: ein Cambrian-1 im Kleinen mit zwei Vision-Encodern, das zeigt, wohin es blickt. Kennt Zeichnungen farbiger Formen, zehn Arten kleiner Fotos und einzelne Ziffern; zu allem anderen antwortet es trotzdem und liegt meist falsch.',
    },
    'trilobite-nano-llava': {
      about:
        'Liegt dieser Seite ebenfalls bei: ein LLaVA im Kleinen mit einem Encoder, aus derselben kleinen Welt. Halb so groß und bei Zeichnungen und Fotos bisher etwas öfter richtig.',
    },
    'trilobite-nano-stage1': {
      about:
        'Zum Trainieren, nicht zum Chatten: trilobite-nano-llava unmittelbar vor Stufe 1. Sein Encoder kennt die Bilder und sein Sprachmodell die Wörter, aber der Projektor dazwischen ist zufällig, sodass es bis zum Training Unsinn antwortet.',
    },
  },
} satisfies Messages['models']

function fetching(size: string, isLocal: boolean): string {
  const how = isLocal ? `werden ${size} gelesen` : `kommen ${size} aus dem Cache des Browsers oder vom Host`
  return (
    `Für jede Frage mit neuen Bildern ${how}, ein Encoder nach dem anderen. ` +
    'Mehr GPU-Speicher in den Optionen behält mehr von ihnen.'
  )
}
