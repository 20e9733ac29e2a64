/** Errors of every layer. comlink carries only name and message: the name tells the kind, the message is whole. */
export class TrilobiteError extends Error {
  override readonly name: string = 'TrilobiteError'
}

/** A tensor whose shape or dtype is not what an operation takes. */
export class ShapeError extends TrilobiteError {
  override readonly name = 'ShapeError'
}

/** No WebGPU, no adapter, or a limit too small to run at all. */
export class UnsupportedDeviceError extends TrilobiteError {
  override readonly name = 'UnsupportedDeviceError'
}

/** The device computes wrong values; answers would be nonsense. */
export class SelfTestError extends TrilobiteError {
  override readonly name = 'SelfTestError'
}

/** The GPU device went away: driver reset, watchdog, or destroyed. */
export class DeviceLostError extends TrilobiteError {
  override readonly name = 'DeviceLostError'
}

/** A GPU allocation failed. */
export class OutOfMemoryError extends TrilobiteError {
  override readonly name = 'OutOfMemoryError'
}

/** Capabilities that some kernels have a faster form for, and every kernel a form without. */
export type FastPath = 'subgroups' | 'packedDot'

/** The driver does not compile a kernel. */
export class ShaderError extends TrilobiteError {
  override readonly name = 'ShaderError'
  /** Fast paths that the kernel takes: another form of it takes none. */
  readonly paths: readonly FastPath[]

  constructor(
    message: string,
    { paths = [], ...options }: ErrorOptions & { paths?: readonly FastPath[] } = {},
  ) {
    super(message, options)
    this.paths = paths
  }
}
