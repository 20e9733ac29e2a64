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

  /** Of the rows' RMS norm. Shapes: x [T, C] -> [T, C]; residual [T, C] is added. */
  forwardNormed(enc: Encoder, x: Tensor, norm: RowNorm, residual: Tensor): Tensor {
    const { halves } = this.gate
    if (halves && gatedMatmulFits(x, ...halves)) {
      return this.down.forward(enc, gatedMatmul(enc, x, ...halves, norm), { residual })
    }
    return this.forwardHidden(enc, this.hidden(enc, rmsNorm(enc, x, norm.gain, norm.eps)), residual)
  }

  /** Gate and up, apart or in one. Shapes: x [T, C] -> [T, F] twice, or [T, 2F]. */
  hidden(enc: Encoder, x: Tensor): HiddenRows {
    return this.gate.project(enc, x)
  }

  /** From the hidden rows. Shapes: residual [T, C] -> [T, C]. */
  forwardHidden(enc: Encoder, hidden: HiddenRows, residual: Tensor): Tensor {
    return enc.scope(() => this.down.forward(enc, this.gate.join(enc, hidden), { residual }))
  }

  /** dLoss/dx. Shapes: dy [T, C], the hidden rows of x -> [T, C]. */
  backward(enc: Encoder, dy: Tensor, hidden: HiddenRows): Tensor {
    return enc.scope(() => this.gate.backward(enc, this.down.backward(enc, dy), hidden))
  }
}

/** Before the activation: gate and up, or one matrix of both. */
export type HiddenRows = readonly Tensor[]

interface Gate {
  /** Weights of the gate and of what it multiplies, where neither has a bias. */
  readonly halves: readonly [gate: Weight, up: Weight] | undefined
  /** Shapes: x [T, C] -> hidden rows. */
  project(enc: Encoder, x: Tensor): HiddenRows
  /** Shapes: hidden rows -> [T, F]. */
  join(enc: Encoder, hidden: HiddenRows): Tensor
  /** Shapes: dy [T, F], hidden rows of x -> [T, C]. */
  backward(enc: Encoder, dy: Tensor, hidden: HiddenRows): Tensor
}

function separateGate(mlp: Weights): Gate {
  const gate = Linear.at(mlp.at('gate_proj'))
  const up = Linear.at(mlp.at('up_proj'))
  return {
    halves: gate.bias || up.bias ? undefined : [gate.weight, up.weight],
    project: (enc, x) => [gate.forward(enc, x), up.forward(enc, x)],
    join: (enc, [gateRows, upRows]) => swiglu(enc, gateRows!, upRows!),
    backward(enc, dy, [gateRows, upRows]) {
      const { dGate, dUp } = swigluBackward(enc, dy, gateRows!, upRows!)
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
    project: (enc, x) => [gateUp.forward(enc, x)],
    join: (enc, [rows]) => swigluPacked(enc, rows!),
    backward: (enc, dy, [rows]) => gateUp.backward(enc, swigluPackedBackward(enc, dy, rows!)),
  }
}
