import {
  gatedMatmul,
  gatedMatmulFits,
  rmsNorm,
  swiglu,
  swigluBackward,
  swigluPacked,
  swigluPackedBackward,
  weightRows,
  type Encoder,
  type RowNorm,
  type Tensor,
  type Weight,
} from '../../kernels'
import type { Weights } from '../parameters'
import { Linear } from './linear'

/** down(silu(gate) * up); gate and up may be rows of one matrix. */
export class GatedMlp {
  private constructor(
    private readonly gate: Gate,
    private readonly down: Linear,
  ) {}

  static at(mlp: Weights, isFused: boolean): GatedMlp {
    return new GatedMlp(isFused ? fusedGate(mlp) : separateGate(mlp), Linear.at(mlp.at('down_proj')))
  }

  /** Shapes: x [T, C] -> [T, C]; residual [T, C] is added. */
  forward(enc: Encoder, x: Tensor, residual: Tensor): Tensor {
    return this.down.forward(enc, this.gate.forward(enc, x), { residual })
  }

  /** Of the rows' RMS norm. Shapes: x [T, C] -> [T, C]; residual [T, C] is added. */
  forwardNormed(enc: Encoder, x: Tensor, norm: RowNorm, residual: Tensor): Tensor {
    const { halves } = this.gate
    const hidden =
      halves && gatedMatmulFits(x, ...halves)
        ? gatedMatmul(enc, x, ...halves, norm)
        : this.gate.forward(enc, rmsNorm(enc, x, norm.gain, norm.eps))
    return this.down.forward(enc, hidden, { residual })
  }

  /** dLoss/dx; the hidden rows are computed again. Shapes: dy, x [T, C] -> [T, C]. */
  backward(enc: Encoder, dy: Tensor, x: Tensor): Tensor {
    return enc.scope(() => this.gate.backward(enc, this.down.backward(enc, dy), x))
  }
}

interface Gate {
  /** Weights of the gate and of what it multiplies, where neither has a bias. */
  readonly halves: readonly [gate: Weight, up: Weight] | undefined
  /** Shapes: x [T, C] -> [T, F]. */
  forward(enc: Encoder, x: Tensor): Tensor
  /** Shapes: dy [T, F], x [T, C] -> [T, C]. */
  backward(enc: Encoder, dy: Tensor, x: Tensor): Tensor
}

function separateGate(mlp: Weights): Gate {
  const gate = Linear.at(mlp.at('gate_proj'))
  const up = Linear.at(mlp.at('up_proj'))
  return {
    halves: gate.bias || up.bias ? undefined : [gate.weight, up.weight],
    forward: (enc, x) => swiglu(enc, gate.forward(enc, x), up.forward(enc, x)),
    backward(enc, dy, x) {
      const { dGate, dUp } = swigluBackward(enc, dy, gate.forward(enc, x), up.forward(enc, x))
      return gate.backward(enc, dGate, up.backward(enc, dUp))
    },
  }
}

function fusedGate(mlp: Weights): Gate {
  const gateUp = Linear.at(mlp.at('gate_up_proj'))
  const F = gateUp.weight.rows / 2
  const canSplit = F % 64 === 0 && !gateUp.bias
  return {
    halves: canSplit ? [weightRows(gateUp.weight, 0, F), weightRows(gateUp.weight, F, F)] : undefined,
    forward: (enc, x) => swigluPacked(enc, gateUp.forward(enc, x)),
    backward: (enc, dy, x) => gateUp.backward(enc, swigluPackedBackward(enc, dy, gateUp.forward(enc, x))),
  }
}
