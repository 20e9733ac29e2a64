/** The public surface of the kernels; models import from here and from nowhere deeper. */
export * from './errors'
export * from './tensor'
export * from './weight'
export { openGpu, Gpu, type AdapterDescription, type Capabilities } from './gpu/device'
export { Encoder, mapOrLost } from './gpu/encoder'
export { warmUp, type Variant } from './gpu/kernel'
export { Arena, createTensor, uploadTensor } from './gpu/memory'
export { rmsNorm, rmsNormBackward } from './rms-norm/rms-norm'
