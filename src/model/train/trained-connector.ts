import {
  createTensor,
  elementCount,
  Encoder,
  unpackRows,
  type Arena,
  type Gpu,
  type Tensor,
  type Weight,
} from '../../kernels'
import type { PictureConnector } from '../connector/definition'
import { isTrainable, type TrainableConnector } from '../connector/trainable'
import { CheckpointError, TrainingError } from '../errors'
import type { Blueprint } from '../family/definition'
import { blueprintSpecs } from '../family/definition'
import { Gradients } from '../gradients'
import { matrixShape, WeightStore, type ParameterSpec, type ParameterSpecs } from '../parameters'

/** Where a model's table of parameters has those of its connector. */
const PREFIX = 'connector.'

/** Values of a connector's parameters by its own names, f32, rows without padding. */
export type ConnectorValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>

/** Shapes of a model's connector's parameters, by the connector's own names; empty for a text-only model. */
export const connectorSpecs = (blueprint: Blueprint): ParameterSpecs =>
  Object.fromEntries(
    Object.entries(blueprintSpecs(blueprint)).flatMap(([name, spec]) =>
      name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), spec]] : [],
    ),
  )

/** A connector with weights of its own in f32, beside the model's. */
export class OwnConnector {
  readonly connector: PictureConnector
  private readonly store: WeightStore

  /** Contents are zero until `write`. Throws: TrainingError for a model without a connector. */
  constructor(
    protected readonly gpu: Gpu,
    blueprint: Blueprint,
    readonly specs: ParameterSpecs = connectorSpecs(blueprint),
  ) {
    const { vision } = blueprint
    if (!vision) {
      throw new TrainingError('connector: this model reads text only. Load a vision-language model.')
    }
    this.store = new WeightStore(gpu)
    for (const [name, spec] of Object.entries(specs)) {
      if (spec.kind === 'vector') this.store.addVector(PREFIX + name, spec.shape)
      else this.store.addMatrix(PREFIX + name, ...matrixShape(spec), 'f32')
    }
    this.connector = vision.connector.create(this.store.at(PREFIX.slice(0, -1)))
  }

  /** Throws: CheckpointError unless every parameter's values are there, and as many as it has. */
  write(values: ConnectorValues): void {
    for (const [name, spec] of Object.entries(this.specs)) {
      const data = values.get(name)
      if (data?.length !== elementCount(spec.shape)) {
        throw new CheckpointError(
          `connector: "${name}" should have ${elementCount(spec.shape)} values but has ${data?.length ?? 'none'}. ` +
            'The connector belongs to another model.',
        )
      }
      this.parameter(name).write(data)
    }
  }

  /** Every parameter's values after all that was submitted. */
  async read(arena: Arena): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const enc = new Encoder(this.gpu, arena, 'read connector')
    const values = new Map<string, Float32Array<ArrayBuffer>>()
    for (const [name, spec] of Object.entries(this.specs)) {
      const tensor = this.isMatrix(spec) ? unpackRows(enc, this.matrix(name)) : this.vector(name)
      values.set(name, (await enc.read(tensor)) as Float32Array<ArrayBuffer>)
      enc.end()
    }
    return values
  }

  /** Where a parameter lies, as an array of rows. */
  parameter(name: string): StridedParameter {
    const spec = this.specs[name]!
    if (!this.isMatrix(spec)) {
      const tensor = this.vector(name)
      const count = elementCount(spec.shape)
      return new StridedParameter(this.gpu, [{ tensor, rows: 1 }], count, count)
    }
    const { parts, cols, stride } = this.matrix(name)
    return new StridedParameter(
      this.gpu,
      parts.map(({ data, rows }) => ({ tensor: data, rows })),
      cols,
      stride,
    )
  }

  destroy(): void {
    this.store.destroy()
  }

  private isMatrix = ({ kind }: ParameterSpec) => kind !== 'vector'
  private matrix = (name: string): Weight => this.store.matrix(PREFIX + name)
  private vector = (name: string): Tensor => this.store.vector(PREFIX + name)
}

/** f32 rows on the GPU that may be padded, split over several buffers where one binding is too small. */
class StridedParameter {
  constructor(
    private readonly gpu: Gpu,
    readonly parts: readonly { readonly tensor: Tensor; readonly rows: number }[],
    readonly cols: number,
    readonly stride: number,
  ) {}

  /** Values row by row without padding. */
  write(values: Float32Array<ArrayBuffer>): void {
    const { cols, stride, gpu } = this
    let row = 0
    for (const { tensor, rows } of this.parts) {
      const own = values.subarray(row * cols, (row + rows) * cols)
      row += rows
      let data = own
      if (stride !== cols) {
        data = new Float32Array(rows * stride)
        for (let r = 0; r < rows; r++) data.set(own.subarray(r * cols, (r + 1) * cols), r * stride)
      }
      gpu.device.queue.writeBuffer(tensor.buffer, tensor.offset, data)
    }
  }
}

/** A connector that learns: f32 master weights, which it computes with, gradients and Adam's two moments. */
export class TrainedConnector extends OwnConnector {
  declare readonly connector: TrainableConnector
  readonly gradients: Gradients
  /** f32 [rows, cols], or as a vector is. */
  readonly moments: ReadonlyMap<string, { readonly m: Tensor; readonly v: Tensor }>

  /** Throws: TrainingError where the connector has no backward pass, or nothing to learn. */
  constructor(gpu: Gpu, blueprint: Blueprint) {
    super(gpu, blueprint)
    const names = Object.keys(this.specs)
    if (!isTrainable(this.connector) || names.length === 0) {
      this.destroyStore()
      throw new TrainingError(
        names.length === 0
          ? 'train: this model passes tower features on as they are (an identity connector); there is nothing to train.'
          : 'train: this kind of connector cannot be trained yet. Choose a model with a linear, mlpNx_gelu or SVA connector.',
      )
    }
    this.gradients = new Gradients(
      gpu,
      Object.fromEntries(Object.entries(this.specs).map(([name, spec]) => [PREFIX + name, spec])),
    )
    this.moments = new Map(
      [...this.gradients.entries()].map(([name, { shape }]) => [
        name.slice(PREFIX.length),
        { m: createTensor(gpu, `${name} m`, shape), v: createTensor(gpu, `${name} v`, shape) },
      ]),
    )
  }

  /** Sums by the connector's own names. */
  get sums() {
    return this.gradients.at(PREFIX.slice(0, -1))
  }

  gradient(name: string): Tensor {
    return this.gradients.find(PREFIX + name)!
  }

  /** Throws: CheckpointError unless both are there for every parameter. */
  writeMoments(m: ConnectorValues, v: ConnectorValues): void {
    for (const [name, moments] of this.moments) {
      for (const [tensor, values] of [
        [moments.m, m.get(name)],
        [moments.v, v.get(name)],
      ] as const) {
        if (values?.length !== elementCount(tensor.shape)) {
          throw new CheckpointError(
            `train: the moments of "${name}" should have ${elementCount(tensor.shape)} values but have ` +
              `${values?.length ?? 'none'}. The checkpoint is damaged or of another model; start a new run.`,
          )
        }
        this.gpu.device.queue.writeBuffer(tensor.buffer, 0, values)
      }
    }
  }

  override destroy(): void {
    super.destroy()
    this.gradients.destroy()
    for (const { m, v } of this.moments.values()) {
      this.gpu.destroyBuffer(m.buffer)
      this.gpu.destroyBuffer(v.buffer)
    }
  }

  private destroyStore(): void {
    super.destroy()
  }
}

/** Bytes of master weights, gradients and moments. */
export const optimizerBytes = (specs: ParameterSpecs) =>
  Object.values(specs).reduce((sum, { shape }) => sum + elementCount(shape) * 4 * 4, 0)
