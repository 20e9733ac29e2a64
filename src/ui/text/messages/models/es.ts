import { countIn } from '../../number'
import type { Messages } from '../en'

const count = (value: number) => countIn('es', value)

export const models = {
  title: 'Modelos',
  intro: 'Solo hay un modelo cargado a la vez. El chat se conserva al cambiarlo.',
  list: 'Listos para elegir',
  loaded: 'Cargado',
  review: 'Revisar y cargar',

  facts: {
    noOtherDownload: (size: string) => `${size}, ninguna otra descarga`,
    download: (size: string) => `${size} de descarga`,
    downloadUnknown: 'descarga: se indica antes de empezar',
    parameters: (amount: string) => `${amount} de parámetros`,
    licence: (name: string) => `licencia: ${name}`,
    gpu: (weights: string, cache: string) =>
      `GPU, solo los pesos: ${weights}; ${cache} para 4096 tokens de contexto`,
    gpuByTowers: (q4GB: number, f16GB: number) =>
      `GPU: unos ${q4GB} GB en q4, un codificador cada vez; ${f16GB} GB en f16`,
  },

  sources: {
    title: 'Otro checkpoint',
    address: 'Repositorio de Hugging Face o dirección de una carpeta',
    placeholder: 'owner/name o https://…',
    lookUp: 'Buscar',
    folder: 'Carpeta local',
    folderHint: 'Una carpeta de este equipo con config.json, tokenizer.json y *.safetensors',
    chooseFolder: 'Elegir carpeta',
    unnamedFolder: 'carpeta local',
    noConfig: 'Esa carpeta no tiene config.json. Elija la carpeta que contiene config.json y *.safetensors.',
    noWeights:
      'Esa carpeta tiene un config.json, pero no pesos. Los archivos *.safetensors deberían estar junto a él.',
  },

  address: {
    empty: 'Escriba un repositorio como llava-hf/llava-1.5-7b-hf o una dirección.',
    neither: 'Eso no es ni owner/name ni una dirección que empiece por https://.',
    noModel: 'Esa dirección no indica ningún modelo; debería parecerse a https://huggingface.co/owner/name.',
    notOfModel: 'Esa no es la dirección de un modelo.',
    malformed: (text: string) => `${text} no es una dirección. Debería empezar por https://.`,
    insecure: 'Solo sirven direcciones https, o http en localhost.',
    mixed:
      'Esta página llegó por https, así que los navegadores solo le dejan consultar servidores por https, o en localhost.',
  },

  server: {
    title: 'Un modelo en un servidor',
    about:
      'Para un modelo demasiado grande para este dispositivo. En su lugar pueden responder vLLM, SGLang, llama.cpp, transformers serve y otros que hablan el protocolo chat completions de OpenAI.',
    address: 'Dirección del servidor',
    key: 'Clave de API, si el servidor la pide',
    keyHint: 'Se guarda hasta cerrar esta página, nunca se almacena y solo se envía a este servidor.',
    model: 'Modelo',
    choose: 'Elegir uno de sus modelos',
    asking: 'Preguntando qué modelos tiene…',
    notListed: 'Este servidor no enumera sus modelos. Escriba el nombre que conoce.',
    sends: (host: string) =>
      `Sus imágenes y preguntas se envían a ${host} y se responden allí. Quien lo gestiona puede leerlas.`,
    open: (host: string) => `El camino a ${host} no está cifrado: otros en la red pueden leer.`,
    cannot: 'Dónde mira, los perfiles y el entrenamiento requieren un modelo en este dispositivo.',
    start: 'Usar este modelo',
  },

  stored: {
    title: 'En este dispositivo',
    room: (used, most) => `Este sitio guarda ${used}; el navegador le permite guardar ${most}.`,
    persistent: 'El navegador lo conserva hasta que usted lo quite.',
    mayGo: 'El navegador puede borrarlo si el disco se llena.',
    persist: 'Pedirle que lo conserve',
    unfinished: (done, total) => `${done} de ${total}; el resto se descarga la próxima vez que se cargue`,
    lastUsed: (day) => `usado por última vez el ${day}`,
    verify: 'Verificar',
    verifying: (done, total) => `Verificando: ${done} de ${total}`,
    sound: 'Cada archivo es como declara su origen.',
    damaged: (files) => `Dañados y quitados, se descargan de nuevo en la próxima carga: ${files}`,
    remove: 'Quitar',
    removeSure: (name) => `¿Quitar ${name} de este dispositivo?`,
    keep: 'Conservar',
  },

  options: {
    weights: 'Pesos en la GPU',
    context: 'Contexto, tokens',
    memory: 'Memoria de GPU, GB',
    automatic: 'Automático',
    memoryHint:
      'Lo máximo que puede ocupar. Los codificadores visuales que no quepan se traen para cada pregunta con imágenes nuevas.',
    dtypes: {
      auto: '16 bits como se publicó; menos solo si hace falta para que quepa',
      f16: '16 bits, como se publicó',
      q8: '8 bits: cerca de la mitad de memoria, apenas pérdida',
      q4: '4 bits: cerca de un tercio de la memoria, algo de pérdida',
      f32: '32 bits: el doble de memoria, para comparar',
    },
    about: (dtype: string) =>
      `${dtype}. Contexto: en automático es el límite del propio modelo, 4096 como máximo; los chats largos necesitan más, ` +
      'y más memoria.',
    source: 'Opciones de la fuente',
    token: 'Token de acceso, para modelos privados o restringidos',
    tokenHint: 'Se guarda hasta cerrar esta página, nunca se almacena y solo se envía al servidor de abajo.',
    hub: 'Dirección del hub',
  },

  plan: {
    reading: 'Leyendo su configuración…',
    architecture: 'Arquitectura',
    model: (architecture: string, parameters: string, dtype: string) =>
      `${architecture}, ${parameters} de parámetros, en ${dtype}`,
    reads: 'Lee',
    downloads: 'Descarga',
    files: (size: string, files: number) =>
      `${size} en ${count(files)} ${files === 1 ? 'archivo' : 'archivos'}`,
    context: 'Contexto',
    contextWithPictures: (tokens: number, ofPicture: number) =>
      `${count(tokens)} tokens, ${count(ofPicture)} por imagen`,
    contextOfText: (tokens: number) => `${count(tokens)} tokens; no admite imágenes`,
    memory: 'Memoria de GPU',
    about: (size: string) => `unos ${size}`,
    parts: {
      vision: 'Visión',
      connector: 'Conector',
      language: 'Modelo de lenguaje',
      kvCache: 'Contexto (caché KV)',
      activations: 'Memoria de trabajo',
    },
    towers: 'Codificadores visuales',
    tower: 'Codificador',
    parameters: 'Parámetros',
    resident: 'Permanece en la GPU',
    stays: 'fijo',
    fetched: 'se lee',
    allFetched: (size: string, isLocal: boolean) =>
      `Los codificadores no caben junto al resto: ${fetching(size, isLocal)}`,
    someFetched: (towers: number, size: string, isLocal: boolean) =>
      `${towers === 1 ? '1 codificador no cabe' : `${count(towers)} codificadores no caben`} junto al resto: ${fetching(size, isLocal)}`,
    tooLarge:
      'Es más de lo que se sabe que admite la GPU. Ayudan unos pesos menores o un contexto más corto.',
    straight:
      'Los archivos vienen directamente de su servidor a este navegador. Allí no se envía nada salvo las peticiones.',
    load: 'Cargar',
    loadAnyway: 'Cargar de todos modos',
    download: (size: string) => `Descargar ${size} y cargar`,
    downloadAnyway: (size: string) => `Descargar ${size} y cargar de todos modos`,
    answering: 'Se está escribiendo una respuesta. Deténgala primero.',
  },

  load: {
    connecting: (host: string) => `Conectando con ${host}`,
    title: (model: string) => `Cargando ${model}`,
    untitled: 'Cargando el modelo',
    cancelling: 'Cancelando…',
    config: 'Configuración',
    weights: 'Pesos',
    compile: 'Kernels de GPU',
    opening: 'Abriendo la GPU',
    reading: (file: string) => `Leyendo ${file}`,
    amount: (done: string, total: string) => `${done} de ${total}`,
    kernel: (done: number, total: number) => `Kernel ${done} de ${total}`,
    ready: 'Listo',
    progress: 'Cargando',
    left: (time: string) => `tiempo restante: ${time}`,
    file: (number: number, files: number, name: string, done: string, total: string) =>
      `Archivo ${number} de ${files}: ${name}, ${done} de ${total}`,
  },

  catalogue: {
    'llava-hf/llava-interleave-qwen-0.5b-hf': {
      about:
        'Un asistente general pequeño y la mejor primera opción para fotos corrientes. Admite varias imágenes.',
      licence: 'Tongyi Qianwen, solo investigación',
    },
    'llava-hf/llava-1.5-7b-hf': {
      about: 'El clásico. Describe escenas y lee letra grande; necesita una GPU de 8 GB o más, en q4.',
      licence: 'Llama 2 Community License',
    },
    'llava-hf/llava-1.5-13b-hf': {
      about: 'Algo más cuidadoso que el 7B, con el doble de descarga; para GPU de 16 GB o más.',
      licence: 'Llama 2 Community License',
    },
    'nyu-visionx/cambrian-phi3-3b': {
      about:
        'Mira con cuatro codificadores visuales a la vez y muestra cuál le dice qué. Los codificadores están en repositorios propios.',
      licence: 'la suya y las de los repositorios de sus codificadores',
    },
    'nyu-visionx/cambrian-8b': {
      about: 'Los mismos cuatro codificadores ante Llama 3 8B: respuestas más cuidadosas.',
      licence: 'Llama 3 Community License y las de los repositorios de sus codificadores',
    },
    'Qwen/Qwen2.5-0.5B-Instruct': {
      about: 'Solo texto: no ve imágenes. Rápido de probar y bueno siguiendo instrucciones cortas.',
      licence: 'Apache 2.0',
    },
  },

  bundled: {
    'trilobite-nano-cambrian': {
      about:
        'Viene con esta página: un Cambrian-1 en miniatura, con dos codificadores visuales, que muestra dónde mira. Conoce dibujos de formas de colores, diez tipos de fotos pequeñas y dígitos sueltos; ante cualquier otra cosa responde igualmente y suele equivocarse.',
    },
    'trilobite-nano-llava': {
      about:
        'También viene con esta página: un LLaVA en miniatura, con un codificador, del mismo mundo pequeño. La mitad de tamaño y, por ahora, acierta algo más en dibujos y fotos.',
    },
    'trilobite-nano-stage1': {
      about:
        'Para entrenar, no para conversar: trilobite-nano-llava justo antes de la etapa 1. Su codificador conoce las imágenes y su modelo de lenguaje las palabras, pero el proyector entre ambos es aleatorio, así que responde disparates hasta que se entrena.',
    },
  },
} satisfies Messages['models']

function fetching(size: string, isLocal: boolean): string {
  const how = isLocal ? 'se leen' : 'vienen de la caché del navegador o del servidor'
  return (
    `para cada pregunta con imágenes nuevas ${how} ${size}, un codificador cada vez. ` +
    'Con más memoria de GPU en las opciones se conservan más.'
  )
}
