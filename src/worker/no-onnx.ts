import { ConfigError } from '../model/errors'
import type { OnnxRuntime } from '../model/onnx/runtime'

/** Stands in for ONNX Runtime, whose WebAssembly of 27 MB a module in one file cannot carry. */
export const webOnnxRuntime: OnnxRuntime = {
  open: (file) =>
    Promise.reject(
      new ConfigError(
        `${file.name}: ONNX encoders run in the app, not in the library or the element. Choose a model without one.`,
      ),
    ),
}
