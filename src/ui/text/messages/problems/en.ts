/** What happened and what to do, for each thing that may. */
export const problems = {
  insecureAddress: {
    title: 'WebGPU is off on this address.',
    advice: 'Browsers allow it only over https or on localhost. Open the page there.',
  },
  noWebGpu: {
    title: 'This browser has no WebGPU.',
    advice:
      'Open this page in a current Chrome or Edge, in Safari 26 or newer, or in Firefox 141 or newer on Windows.',
  },
  noGpu: {
    title: 'No usable GPU was found.',
    advice:
      'Turn on graphics acceleration in the browser’s settings, update the graphics driver, then reload the page.',
  },
  wrongValues: {
    title: 'This GPU computes wrong values, so answers would be nonsense.',
    advice: 'Update the browser and the graphics driver, or try another browser, then reload the page.',
  },
  gpuLost: {
    title: 'The connection to the GPU was lost.',
    advice:
      'Your chat is kept. Reload the model to go on. If it happens again, close other tabs that use the GPU, ' +
      'or load the model with smaller weights or a shorter context.',
  },
  shaderRefused: {
    title: 'The graphics driver refused a part of the engine.',
    advice: 'Update the graphics driver and the browser, or try another browser, then load the model again.',
  },
  outOfMemory: {
    title: 'The GPU ran out of memory.',
    advice:
      'Load the model as q8 or q4, with a shorter context, or choose a smaller one. Closing other tabs helps. ' +
      'The details tell what each would need.',
  },
  offline: {
    title: 'You are offline.',
    advice: 'Connect and try again. The bundled model and local folders work without a network.',
  },
  refused: {
    title: 'The host refused this model.',
    advice:
      'It may be private or ask you to accept its terms. Accept them on the model’s page, then give an ' +
      'access token under Source options.',
  },
  notFound: {
    title: 'The model or one of its files was not found.',
    advice: 'Check the spelling of the name and revision, and that the repository holds safetensors files.',
  },
  tooManyRequests: {
    title: 'The host asks to slow down.',
    advice: 'Wait a minute and try again.',
  },
  notDownloaded: {
    title: 'A file could not be downloaded.',
    advice: 'Check the connection and try again. A blocker or a host without CORS can cause this too.',
  },
  serverUnreachable: {
    title: 'The server does not answer.',
    advice: 'Start it, and check the address and its port. Its details name what was asked.',
  },
  serverBlocked: {
    title: 'The server does not let this page read its answers.',
    advice: 'Allow this page’s origin on the server (CORS). The details name it, and the usual options.',
  },
  serverInsecure: {
    title: 'This page may not ask a server without https.',
    advice: 'Serve it over https, or open this page from localhost.',
  },
  serverDenied: {
    title: 'The server wants an API key that may use this model.',
    advice: 'Give it under Models. It is kept until this page closes.',
  },
  serverMissing: {
    title: 'The server does not have this model, or nothing at this address.',
    advice: 'Check the name of the model and the address, which mostly ends in /v1.',
  },
  serverBusy: {
    title: 'The server is busy or in trouble.',
    advice: 'It was asked several times. Wait a while and try again.',
  },
  serverRefused: {
    title: 'The server did not answer as expected.',
    advice: 'The details have its own words.',
  },
  answerBroken: {
    title: 'The answer broke off.',
    advice: 'What came before stays above. Ask again for the whole answer.',
  },
  damagedWeights: {
    title: 'The model’s weights are damaged or do not match its configuration.',
    advice:
      'Load it again. If the same file fails again, the checkpoint itself is at fault: choose another one.',
  },
  unsupportedConfig: {
    title: 'This model’s configuration is not one Trilobite can run.',
    advice:
      'The details name the field. Choose a LLaVA checkpoint in the Hugging Face layout, or one of the list.',
  },
  unreadablePicture: {
    title: 'A picture could not be read.',
    advice:
      'Use a PNG, JPEG, WebP or GIF file. Opening it in a picture editor and saving it anew often helps.',
  },
  unfitTemplate: {
    title: 'This conversation does not fit the model’s chat template.',
    advice:
      'Remove the system prompt or start a new chat; some models take no system prompt or no later pictures.',
  },
  contextFull: {
    title: 'The conversation is longer than the model’s context.',
    advice: 'Start a new chat, shorten the question, or load the model with a longer context.',
  },
  unfitShapes: {
    title: 'The model does not fit together.',
    advice: 'Its files disagree about a size; the details say where. Choose another checkpoint.',
  },
  unusableData: {
    title: 'The data cannot be used as it is.',
    advice:
      'The details name the file or row. Give LLaVA’s JSON or JSONL, a CSV or TSV table, or pictures with .txt files, ' +
      'together with the pictures.',
  },
  diverged: {
    title: 'Training stopped: its numbers were no longer finite.',
    advice:
      'Start a new run with a lower learning rate, a longer warm-up, or the model in f32. This run keeps its last ' +
      'checkpoint, which the new one may begin with.',
  },
  trainedElsewhere: {
    title: 'This run is training in another tab or program.',
    advice: 'Pause it there, or close that tab, then try again.',
  },
  otherRunTraining: {
    title: 'Another run is training.',
    advice: 'Pause it or stop it first, then try again.',
  },
  cannotTrain: {
    title: 'Training cannot begin or go on so.',
    advice: 'The details say why, and what to change. Runs keep their last checkpoint.',
  },
  cancelled: { title: 'Cancelled.' },
  crashed: {
    title: 'The engine stopped unexpectedly.',
    advice: 'Your chat is kept. Reload the model to go on.',
  },
  storageFull: {
    title: 'The browser’s storage is full.',
    advice: 'This chat will not survive a reload of the page. Free some disk space or start a new chat.',
  },
  unknown: {
    title: 'Something went wrong.',
    advice: 'Try again. If it stays, reload the page; your chat is kept.',
  },
}
