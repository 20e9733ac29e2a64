/** The public surface of the kernels; models import from here and from nowhere deeper. */
export * from './errors'
export * from './tensor'
export * from './weight'
export { openGpu, Gpu, type AdapterDescription, type Capabilities } from './gpu/device'
export { Encoder, lossOr, mapOrLost } from './gpu/encoder'
export { withFallbacks } from './gpu/fallback'
export { warmUp, type Variant } from './gpu/kernel'
export { Arena, createTensor, uploadTensor } from './gpu/memory'
export { Profiler, type KernelTime, type ProfiledPart } from './gpu/profiler'
export { ACTIVATION_CODE, type Activation, type GateActivation } from './activation-kinds'
export { activation, activationBackward } from './activation/activation'
export { add, addInto } from './add/add'
export { adamwStep, type AdamwOptions, type AdamwTensors } from './adamw/adamw'
export { addLayerNorm } from './add-layer-norm/add-layer-norm'
export { addRmsNorm } from './add-rms-norm/add-rms-norm'
export {
  attention,
  attentionFull,
  type AttentionFullOptions,
  type AttentionOptions,
} from './attention/attention'
export {
  attentionWeights,
  attentionWeightsInto,
  type AttentionWeightsOptions,
} from './attention-weights/attention-weights'
export { concatColumns, sliceColumns } from './concat/concat'
export {
  attentionBackward,
  attentionCausal,
  attentionTakesSpans,
  type AttentionSaved,
  type CausalAttentionOptions,
} from './attention/attention-backward'
export type { Spans } from './attention/broadcast'
export {
  crossEntropyChunk,
  crossEntropyGradient,
  crossEntropyLosses,
  crossEntropyStart,
  NO_LABEL,
  type CrossEntropyStats,
} from './cross-entropy/cross-entropy'
export { depthwiseConv, type DepthwiseConvOptions } from './depthwise-conv/depthwise-conv'
export { embedding, type EmbeddingRange } from './embedding/embedding'
export { gatedMatmul, gatedMatmulFits, type GatedMatmulOptions } from './gated-matmul/gated-matmul'
export { gradientNorm } from './gradient-norm/gradient-norm'
export { appendKv, createKvCache, destroyKvCache, kvCacheBytes, type KvCache } from './kv-cache/kv-cache'
export { layerNorm, layerNormBackward, layerNormWeightBackward } from './layer-norm/layer-norm'
export { matmul, type MatmulOptions } from './matmul/matmul'
export { matmulBackward, matmulWeightBackward } from './matmul/matmul-backward'
export { mlpProjector, mlpProjectorFits } from './mlp-projector/mlp-projector'
export { normMatmul, normMatmulFits, type RowNorm } from './norm-matmul/norm-matmul'
export { packRows, unpackRows, widen, type PackOptions, type RawDtype } from './pack/pack'
export { uploadRows, uploadVector } from './pack/upload'
export { columnSums, meanRows, meanRowsBackward } from './mean-rows/mean-rows'
export { embedPatches, patchify, spaceToDepth, type SpaceToDepthOptions } from './patch-embed/patch-embed'
export {
  resampleRows,
  resampleRowsBackward,
  type GridSize,
  type ResampleGrids,
  type ResampleOptions,
} from './resample/resample'
export { gatherRows, gatherRowsBackward, takeRows } from './rows/rows'
export { rmsNorm, rmsNormBackward } from './rms-norm/rms-norm'
export { ropeChange, ropeFrequencies, type RopeChange, type RopeConfig } from './rope/rope-frequencies'
export { rope, ropeBackward } from './rope/rope'
export { ropeAppend, type HeadColumns, type RopeAppendOptions } from './rope-append/rope-append'
export { sampleToken } from './sample/sample'
export { TokenReader } from './sample/token-reader'
export { softmax, softmaxBackward } from './softmax/softmax'
export { splice, spliceBackward } from './splice/splice'
export { areaCells, letterbox, unpaddedGrid, type GridArea, type ValidBand } from './sva/letterbox'
export { svaAttention, svaAttentionWithLse, type SvaOptions, type SvaTower } from './sva/sva'
export { svaAttentionBackward, type SvaSaved } from './sva/sva-backward'
export { svaShares } from './sva/sva-shares'
export { swiglu, swigluBackward, swigluPacked, swigluPackedBackward } from './swiglu/swiglu'
export { toRows } from './to-rows/to-rows'
export { scaleAdd } from './scale-add/scale-add'
export {
  addWindowPositions,
  addWindowPositionsBackward,
  type WindowSizes,
} from './window-position/window-position'
export { selfTest } from './self-test'
export { ProductTuner, type Tuner } from './product-tuner'
export { readTuning, TUNING_VERSION, UNTUNED, type Tuning } from './tuning'
