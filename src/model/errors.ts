import { TrilobiteError } from '../kernels/errors'

/** Weights that are malformed, or do not match the architecture. */
export class CheckpointError extends TrilobiteError {
  override readonly name = 'CheckpointError'
}

/** A config file with a missing, mistyped or unsupported field. */
export class ConfigError extends TrilobiteError {
  override readonly name = 'ConfigError'
}

/** A file could not be fetched. */
export class NetworkError extends TrilobiteError {
  override readonly name = 'NetworkError'
}

/** A picture that cannot be decoded. */
export class ImageError extends TrilobiteError {
  override readonly name = 'ImageError'
}

/** A chat template that is missing or cannot render a conversation. */
export class TemplateError extends TrilobiteError {
  override readonly name = 'TemplateError'
}

/** A conversation longer than the KV cache. */
export class ContextOverflowError extends TrilobiteError {
  override readonly name = 'ContextOverflowError'
}

/** The caller cancelled. */
export class AbortError extends TrilobiteError {
  override readonly name = 'AbortError'
}

/** Training data that is missing or cannot be understood. */
export class DatasetError extends TrilobiteError {
  override readonly name = 'DatasetError'
}

/** A training run that cannot begin or go on. */
export class TrainingError extends TrilobiteError {
  override readonly name = 'TrainingError'
}
