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
