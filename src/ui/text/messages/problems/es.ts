import type { Messages } from '../en'

export const problems = {
  insecureAddress: {
    title: 'WebGPU está desactivado en esta dirección.',
    advice: 'Los navegadores solo lo permiten por https o en localhost. Abra la página allí.',
  },
  noWebGpu: {
    title: 'Este navegador no tiene WebGPU.',
    advice:
      'Abra esta página en un Chrome o Edge actual, en Safari 26 o posterior, o en Firefox 141 o posterior en Windows.',
  },
  noGpu: {
    title: 'No se encontró una GPU utilizable.',
    advice:
      'Active la aceleración gráfica en los ajustes del navegador, actualice el controlador gráfico y recargue la página.',
  },
  wrongValues: {
    title: 'Esta GPU calcula valores erróneos; las respuestas no tendrían sentido.',
    advice:
      'Actualice el navegador y el controlador gráfico, o pruebe con otro navegador, y recargue la página.',
  },
  gpuLost: {
    title: 'Se perdió la conexión con la GPU.',
    advice:
      'El chat se conserva. Recargue el modelo para continuar. Si vuelve a ocurrir, cierre otras pestañas que usen la ' +
      'GPU o cargue el modelo con pesos menores o un contexto más corto.',
  },
  shaderRefused: {
    title: 'El controlador gráfico rechazó una parte del motor.',
    advice:
      'Actualice el controlador gráfico y el navegador, o pruebe con otro navegador, y cargue el modelo de nuevo.',
  },
  outOfMemory: {
    title: 'La GPU se quedó sin memoria.',
    advice:
      'Cargue el modelo en q8 o q4, con un contexto más corto, o elija uno más pequeño. Cerrar otras pestañas ayuda. ' +
      'Los detalles dicen cuánto haría falta en cada caso.',
  },
  offline: {
    title: 'No hay conexión a Internet.',
    advice: 'Conéctese e inténtelo de nuevo. El modelo incluido y las carpetas locales funcionan sin red.',
  },
  refused: {
    title: 'El servidor rechazó este modelo.',
    advice:
      'Puede ser privado o exigir que acepte sus condiciones. Acéptelas en la página del modelo y dé después un token de ' +
      'acceso en «Opciones de la fuente».',
  },
  notFound: {
    title: 'No se encontró el modelo o uno de sus archivos.',
    advice:
      'Compruebe la ortografía del nombre y de la revisión, y que el repositorio contenga archivos safetensors.',
  },
  tooManyRequests: {
    title: 'El servidor pide ir más despacio.',
    advice: 'Espere un minuto e inténtelo de nuevo.',
  },
  notDownloaded: {
    title: 'No se pudo descargar un archivo.',
    advice:
      'Compruebe la conexión e inténtelo de nuevo. También puede deberse a un bloqueador o a un servidor sin CORS.',
  },
  serverUnreachable: {
    title: 'El servidor no responde.',
    advice: 'Inícielo y compruebe la dirección y su puerto. Los detalles dicen qué se pidió.',
  },
  serverBlocked: {
    title: 'El servidor no deja que esta página lea sus respuestas.',
    advice:
      'Permita el origen de esta página en el servidor (CORS). Los detalles lo indican, con las opciones habituales.',
  },
  serverInsecure: {
    title: 'Esta página no puede consultar un servidor sin https.',
    advice: 'Sírvalo por https o abra esta página desde localhost.',
  },
  serverDenied: {
    title: 'El servidor pide una clave de API para este modelo.',
    advice: 'Indíquela en Modelos. Se guarda hasta cerrar esta página.',
  },
  serverMissing: {
    title: 'El servidor no tiene este modelo, o nada en esta dirección.',
    advice: 'Compruebe el nombre del modelo y la dirección, que suele acabar en /v1.',
  },
  serverBusy: {
    title: 'El servidor está ocupado o tiene problemas.',
    advice: 'Se le preguntó varias veces. Espere un poco e inténtelo de nuevo.',
  },
  serverRefused: {
    title: 'El servidor no respondió como se esperaba.',
    advice: 'Los detalles dan sus propias palabras.',
  },
  answerBroken: {
    title: 'La respuesta se cortó.',
    advice: 'Lo que llegó antes queda arriba. Pregunte de nuevo para tener la respuesta entera.',
  },
  damagedWeights: {
    title: 'Los pesos del modelo están dañados o no corresponden a su configuración.',
    advice:
      'Cárguelo de nuevo. Si vuelve a fallar el mismo archivo, el problema está en el propio checkpoint: elija otro.',
  },
  unsupportedConfig: {
    title: 'Trilobite no puede ejecutar la configuración de este modelo.',
    advice:
      'Los detalles indican el campo. Elija un checkpoint de LLaVA con el formato de Hugging Face, o uno de la lista.',
  },
  unreadablePicture: {
    title: 'No se pudo leer una imagen.',
    advice:
      'Use un archivo PNG, JPEG, WebP o GIF. Suele ayudar abrirlo en un editor de imágenes y guardarlo de nuevo.',
  },
  unfitTemplate: {
    title: 'Esta conversación no encaja en la plantilla de chat del modelo.',
    advice:
      'Quite el prompt del sistema o inicie un nuevo chat; algunos modelos no admiten prompt del sistema o imágenes ' +
      'posteriores.',
  },
  contextFull: {
    title: 'La conversación es más larga que el contexto del modelo.',
    advice: 'Inicie un nuevo chat, acorte la pregunta o cargue el modelo con un contexto más largo.',
  },
  unfitShapes: {
    title: 'Las partes del modelo no encajan.',
    advice: 'Sus archivos se contradicen en un tamaño; los detalles indican dónde. Elija otro checkpoint.',
  },
  unusableData: {
    title: 'Los datos no se pueden usar tal como están.',
    advice:
      'Los detalles indican el archivo o la fila. Dé el JSON o JSONL de LLaVA, una tabla CSV o TSV, o imágenes con ' +
      'archivos .txt, junto con las imágenes.',
  },
  diverged: {
    title: 'El entrenamiento se detuvo: sus números dejaron de ser finitos.',
    advice:
      'Inicie otro entrenamiento con una tasa de aprendizaje menor, un calentamiento más largo o el modelo en f32. Este ' +
      'conserva su último checkpoint, del que puede partir el nuevo.',
  },
  trainedElsewhere: {
    title: 'Este entrenamiento está en marcha en otra pestaña o programa.',
    advice: 'Póngalo en pausa allí, o cierre esa pestaña, e inténtelo de nuevo.',
  },
  otherRunTraining: {
    title: 'Hay otro entrenamiento en marcha.',
    advice: 'Póngalo en pausa o deténgalo primero e inténtelo de nuevo.',
  },
  cannotTrain: {
    title: 'El entrenamiento no puede empezar ni continuar así.',
    advice: 'Los detalles dicen por qué y qué cambiar. Los entrenamientos conservan su último checkpoint.',
  },
  cancelled: { title: 'Cancelado.' },
  crashed: {
    title: 'El motor se detuvo de forma inesperada.',
    advice: 'El chat se conserva. Recargue el modelo para continuar.',
  },
  storageFull: {
    title: 'El almacenamiento del navegador está lleno.',
    advice: 'Este chat se perderá al recargar la página. Libere espacio en disco o inicie un nuevo chat.',
  },
  unknown: {
    title: 'Algo salió mal.',
    advice: 'Inténtelo de nuevo. Si persiste, recargue la página; el chat se conserva.',
  },
} satisfies Messages['problems']
